#include <algorithm>
#include <charconv>
#include <set>

#include "libcore/json/message.hpp"
#include "libcore/postgres/user_messages_table.hpp"
#include "libcore/postgres/users_table.hpp"
#include "services/api/handlers.hpp"

namespace api {

namespace {

// A hundred messages of usual length stay far below the 128 KiB a reply should have.
constexpr int default_limit = 50;
constexpr int max_limit = 100;

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

domain::Result<postgres::UserMessagesQuery> read_query(const Call& call) {
    const auto parameters = decode_query(call.request.query);
    if (!parameters) return domain::Error{"invalid_query", "", "holds a broken percent-escape"};
    postgres::UserMessagesQuery query{.user_id = call.id, .limit = default_limit};
    domain::Errors errors;
    std::set<std::string> seen;
    for (const auto& [name, value] : *parameters) {
        if (!seen.insert(name).second) {
            errors.push_back({"duplicate_parameter", name, "is given more than once"});
        } else if (name == "status") {
            query.status = domain::parse_status(value);
            if (!query.status)
                errors.push_back({"invalid", name, "must be a status such as SCHEDULED or SENT"});
        } else if (name == "limit") {
            const auto limit = parse_limit(value);
            if (!limit)
                errors.push_back(
                    {"invalid", name, "must be a number from 1 to " + std::to_string(max_limit)});
            query.limit = limit.value_or(default_limit);
        } else if (name == "cursor") {
            query.after = parse_cursor(value);
            if (!query.after)
                errors.push_back({"invalid", name, "must be the nextCursor of an earlier answer"});
        } else {
            errors.push_back({"unknown_parameter", name, "is not a parameter of this list"});
        }
    }
    if (!errors.empty()) return errors;
    return query;
}

}  // namespace

Answer list_user_messages(const Call& call) {
    auto query = read_query(call);
    if (!query) return problem_of(query.errors());
    if (!postgres::find_user(call.pool, call.id)) return no_such_user();

    const auto page = static_cast<std::size_t>(query->limit);
    query->limit += 1;  // one more than the page tells whether there is a next one
    const auto messages = postgres::messages_of_user(call.pool, *query);
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
