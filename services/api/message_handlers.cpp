#include "libcore/domain/message_type.hpp"
#include "libcore/domain/text.hpp"
#include "libcore/json/message.hpp"
#include "libcore/postgres/messages_table.hpp"
#include "libcore/postgres/user_messages_table.hpp"
#include "libcore/postgres/users_table.hpp"
#include "services/api/handlers.hpp"

namespace api {

namespace {

constexpr int default_limit = 50;
constexpr int max_limit = 100;  // as the rule below says
// A reply should have less than 128 KiB. A hundred messages of usual length have far less; for long ones
// pages are shorter.
constexpr std::size_t page_bytes = 96 * 1024;

/// "2027-02-28_<uuid>": opaque to clients.
std::string cursor_of(const domain::Message& message) {
    return domain::to_string(message.delivery_date) + "_" + domain::to_string(message.id);
}

std::optional<postgres::MessagePosition> parse_cursor(std::string_view text) {
    const auto separator = text.find('_');
    if (separator == std::string_view::npos) return std::nullopt;
    const auto date = domain::parse_date(text.substr(0, separator));
    const auto id = domain::parse_uuid(text.substr(separator + 1));
    if (!date || !id) return std::nullopt;
    return postgres::MessagePosition{*date, *id};
}

std::string encode(const std::vector<domain::Message>& messages, const std::optional<std::string>& next) {
    json::Writer writer;
    writer.begin_object().key("items").begin_array();
    for (const auto& message : messages) json::write(writer, message);
    writer.end_array().member("nextCursor", next).end_object();
    return writer.take();
}

/// "2027-02-28T09:00:00Z_<uuid>".
std::optional<postgres::ListPosition> parse_position(std::string_view text) {
    const auto separator = text.find('_');
    if (separator == std::string_view::npos) return std::nullopt;
    const auto at = domain::parse_instant(text.substr(0, separator));
    const auto id = domain::parse_uuid(text.substr(separator + 1));
    if (!at || !id) return std::nullopt;
    return postgres::ListPosition{*at, *id};
}

/// As a provider's answer has one.
std::optional<int> parse_response_code(std::string_view text) {
    return parse_number<100, 599>(text);
}

bool is_error(std::string_view text) {
    constexpr std::size_t longest = 200;
    return !text.empty() && text.size() <= longest && domain::is_line(text);
}

postgres::MessagesQuery list_query_of(const Query& given) {
    postgres::MessagesQuery query{.limit = default_limit};
    if (const auto status = given.value("status")) query.filter.status = domain::parse_status(*status);
    if (const auto type = given.value("messageType")) query.filter.message_type = *type;
    if (const auto from = given.value("from")) query.filter.from = domain::parse_instant(*from);
    if (const auto to = given.value("to")) query.filter.to = domain::parse_instant(*to);
    if (const auto code = given.value("apiResponseCode"))
        query.filter.response_code = parse_response_code(*code);
    if (const auto error = given.value("error")) query.filter.error = *error;
    if (const auto limit = given.value("limit")) query.limit = *parse_number<1, max_limit>(*limit);
    if (const auto cursor = given.value("cursor")) query.after = parse_position(*cursor);
    return query;
}

postgres::UserMessagesQuery query_of(const Call& call) {
    postgres::UserMessagesQuery query{.user_id = call.id, .limit = default_limit};
    if (const auto status = call.query.value("status")) query.status = domain::parse_status(*status);
    if (const auto limit = call.query.value("limit")) query.limit = *parse_number<1, max_limit>(*limit);
    if (const auto cursor = call.query.value("cursor")) query.after = parse_cursor(*cursor);
    return query;
}

}  // namespace

const std::array<Parameter, 3> message_list_parameters = {{
    {"status", fits<domain::parse_status>, "must be a status such as SCHEDULED or SENT"},
    {"limit", fits<parse_number<1, max_limit>>, "must be a number from 1 to 100"},
    {"cursor", fits<parse_cursor>, "must be the nextCursor of an earlier answer"},
}};

const std::array<Parameter, 8> messages_parameters = {{
    {"status", fits<domain::parse_status>, "must be a status such as FAILED or MISSED"},
    {"messageType", domain::is_type_name, "must be a message type's name such as BIRTHDAY"},
    {"from", fits<domain::parse_instant>, "must be an instant such as 2027-03-01T12:00:00Z"},
    {"to", fits<domain::parse_instant>, "must be an instant such as 2027-03-01T12:00:00Z"},
    {"apiResponseCode", fits<parse_response_code>, "must be a number from 100 to 599"},
    {"error", is_error, "must be one line of 1 to 200 bytes"},
    {"limit", fits<parse_number<1, max_limit>>, "must be a number from 1 to 100"},
    {"cursor", fits<parse_position>, "must be the nextCursor of an earlier answer"},
}};

Answer list_messages(const Call& call) {
    auto query = list_query_of(call.query);
    if (auto faults = domain::list_faults(query.filter); !faults.empty())
        return problem_of(std::move(faults));
    for (;; query.limit /= 2) {
        const auto page = postgres::list_messages(call.pool, query);
        std::optional<std::string> next;
        if (page.next) next = domain::to_string(page.next->at) + "_" + domain::to_string(page.next->id);
        auto body = encode(page.messages, next);
        if (body.size() <= page_bytes || page.messages.size() <= 1)
            return runtime::Reply{.body = std::move(body), .headers = {}};
    }
}

Answer list_user_messages(const Call& call) {
    auto query = query_of(call);
    if (!postgres::find_user(call.pool, call.id)) return no_such_user();

    auto page = static_cast<std::size_t>(query.limit);
    query.limit += 1;  // one more than the page tells whether there is a next one
    auto messages = postgres::messages_of_user(call.pool, query);
    for (;; page /= 2) {
        std::optional<std::string> next;
        if (messages.size() > page) {
            messages.resize(page);
            next = cursor_of(messages.back());
        }
        auto body = encode(messages, next);
        if (body.size() <= page_bytes || messages.size() <= 1)
            return runtime::Reply{.body = std::move(body), .headers = {}};
        if (messages.size() < page) page = messages.size();
    }
}

}  // namespace api
