#include "libcore/json/message_type.hpp"
#include "libcore/postgres/message_types_table.hpp"
#include "services/api/handlers.hpp"

namespace api {

namespace {

// Far below the 128 KiB that a reply should have; with texts of usual length one page holds all there may be.
constexpr std::size_t page_bytes = 64 * 1024;

runtime::Reply reply(int status, const domain::MessageType& type) {
    return {.status = status, .body = json::encode(type), .headers = {}};
}

/// What stands in the way of a name, or of one more type, is no fault of the request.
json::Problem refusal(const domain::Errors& errors) {
    const auto& error = errors.front();
    if (error.code == "too_many") return {409, error.code, error.text};
    if (error.code == "being_removed")
        return {409, error.code, "This message type is still being removed; nothing was changed.", errors};
    return problem_of(errors);
}

}  // namespace

const std::array<Parameter, 1> type_list_parameters = {{
    {"cursor", domain::is_type_name, "must be the nextCursor of an earlier answer"},
}};

Answer list_message_types(const Call& call) {
    const auto types = postgres::message_types_after(call.pool, call.query.value("cursor").value_or(""));
    json::Writer writer;
    writer.begin_object().key("items").begin_array();
    std::optional<std::string> next;
    for (const auto& type : types) {
        json::write(writer, type);
        if (writer.size() < page_bytes || &type == &types.back()) continue;
        next = type.name;
        break;
    }
    writer.end_array().member("nextCursor", next).end_object();
    return runtime::Reply{.body = writer.take(), .headers = {}};
}

Answer add_message_type(const Call& call) {
    const auto body = read_body(call.request);
    if (const auto* problem = std::get_if<json::Problem>(&body)) return *problem;
    const auto input = json::decode_new_type(std::get<json::Value>(body));
    const auto type = postgres::insert_message_type(
        call.pool, call.actor, input.name,
        [&](domain::Instant now) { return domain::validated(input.fields, now, {}, input.errors); });
    if (!type) return refusal(type.errors());
    auto added = reply(201, *type);
    added.headers.emplace_back("Location", "/api/v1/message-types/" + type->name);
    return added;
}

Answer get_message_type(const Call& call) {
    const auto type = postgres::find_message_type(call.pool, call.name);
    if (!type) return no_such_message_type();
    return reply(200, *type);
}

Answer change_message_type(const Call& call) {
    const auto body = read_body(call.request);
    if (const auto* problem = std::get_if<json::Problem>(&body)) return *problem;
    const auto change = [&](const domain::MessageTypeFields& present, domain::Instant now) {
        auto input = json::decode_type_change(std::get<json::Value>(body), present);
        return domain::validated(std::move(input.fields), now, present.paused_until, std::move(input.errors));
    };
    const auto type = postgres::change_message_type(call.pool, call.actor, call.name, change);
    if (!type) return no_such_message_type();
    if (!*type) return problem_of(type->errors());
    return reply(200, **type);
}

Answer remove_message_type(const Call& call) {
    if (domain::user_field_of(call.name)) {
        return json::Problem{409, "built_in", "A built-in message type cannot be deleted; it can be paused."};
    }
    if (!postgres::delete_message_type(call.pool, call.actor, call.name)) return no_such_message_type();
    return runtime::Reply{.status = 204, .body = {}, .headers = {}};
}

}  // namespace api
