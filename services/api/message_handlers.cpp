#include <algorithm>
#include <charconv>

#include "libcore/json/message.hpp"
#include "libcore/postgres/user_messages_table.hpp"
#include "libcore/postgres/users_table.hpp"
#include "services/api/handlers.hpp"

namespace api {

namespace {

// A hundred messages of usual length stay far below the 128 KiB a reply should have.
constexpr int default_limit = 50;
constexpr int max_limit = 100;  // as the rule below says

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

std::optional<int> parse_limit(std::string_view text) {
    int limit = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), limit);
    if (error != std::errc() || end != text.data() + text.size() || limit < 1 || limit > max_limit)
        return std::nullopt;
    return limit;
}

bool is_status(std::string_view text) {
    return domain::parse_status(text).has_value();
}

bool is_limit(std::string_view text) {
    return parse_limit(text).has_value();
}

bool is_cursor(std::string_view text) {
    return parse_cursor(text).has_value();
}

postgres::UserMessagesQuery query_of(const Call& call) {
    postgres::UserMessagesQuery query{.user_id = call.id, .limit = default_limit};
    if (const auto status = call.query.value("status")) query.status = domain::parse_status(*status);
    if (const auto limit = call.query.value("limit"))
        query.limit = parse_limit(*limit).value_or(default_limit);
    if (const auto cursor = call.query.value("cursor")) query.after = parse_cursor(*cursor);
    return query;
}

}  // namespace

const std::array<Parameter, 3> message_list_parameters = {{
    {"status", is_status, "must be a status such as SCHEDULED or SENT"},
    {"limit", is_limit, "must be a number from 1 to 100"},
    {"cursor", is_cursor, "must be the nextCursor of an earlier answer"},
}};

Answer list_user_messages(const Call& call) {
    auto query = query_of(call);
    if (!postgres::find_user(call.pool, call.id)) return no_such_user();

    const auto page = static_cast<std::size_t>(query.limit);
    query.limit += 1;  // one more than the page tells whether there is a next one
    const auto messages = postgres::messages_of_user(call.pool, query);
    json::Writer writer;
    writer.begin_object().key("items").begin_array();
    for (std::size_t i = 0; i < std::min(page, messages.size()); ++i) json::write(writer, messages[i]);
    writer.end_array();
    std::optional<std::string> next;
    if (messages.size() > page) next = cursor_of(messages[page - 1]);
    writer.member("nextCursor", next).end_object();
    return runtime::Reply{.body = writer.take(), .headers = {}};
}

}  // namespace api
