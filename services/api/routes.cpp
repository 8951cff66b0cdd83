#include "services/api/routes.hpp"

#include <array>
#include <vector>

#include "libcore/domain/message_type.hpp"
#include "services/api/url.hpp"

namespace api {

namespace {

// An import that uses up what an address may do must not keep anybody from stopping messages.
constexpr bool unlimited = false;
// Whoever has stopped everything wants to see it stopped, whatever he says when he asks.
constexpr bool fresh = true;

constexpr auto table = std::to_array<Route>({
    {"POST", "/api/v1/users", "users:write", create_user},
    {"GET", "/api/v1/users/{id}", "users:read", get_user},
    {"PUT", "/api/v1/users/{id}", "users:write", replace_user},
    {"PATCH", "/api/v1/users/{id}", "users:write", change_user},
    {"DELETE", "/api/v1/users/{id}", "users:write", delete_user},
    {"GET", "/api/v1/users/{id}/messages", "messages:read", list_user_messages, message_list_parameters},
    {"GET", "/api/v1/users/{id}/schedule", "messages:read", get_user_schedule, user_schedule_parameters},
    {"GET", "/api/v1/schedule/preview", "messages:read", preview_schedule, preview_parameters},
    {"GET", "/api/v1/users/{id}/explanation", "messages:read", explain_day, explain_day_parameters},
    {"GET", "/api/v1/messages", "messages:read", list_messages, messages_parameters},
    {"GET", "/api/v1/messages/{id}", "messages:read", get_message},
    {"POST", "/api/v1/messages/{id}/replay", "messages:write", replay_message},
    {"POST", "/api/v1/messages/{id}/cancel", "messages:write", cancel_message},
    {"POST", "/api/v1/messages/replay", "messages:write", replay_messages},
    {"POST", "/api/v1/messages/cancel", "messages:write", cancel_messages, {}, unlimited},
    {"GET", "/api/v1/users/{id}/occasions", "users:read", list_occasions},
    {"POST", "/api/v1/users/{id}/occasions", "users:write", add_occasion},
    {"DELETE", "/api/v1/users/{id}/occasions/{name}/{date}", "users:write", remove_occasion},
    {"GET", "/api/v1/message-types", "messages:read", list_message_types, type_list_parameters},
    {"POST", "/api/v1/message-types", "admin", add_message_type},
    {"GET", "/api/v1/message-types/{name}", "messages:read", get_message_type},
    {"PATCH", "/api/v1/message-types/{name}", "admin", change_message_type},
    {"DELETE", "/api/v1/message-types/{name}", "admin", remove_message_type},
    {"GET", "/api/v1/pause", "admin", get_pause, {}, unlimited, fresh},
    {"POST", "/api/v1/pause", "admin", pause_deliveries, {}, unlimited},
    {"POST", "/api/v1/resume", "admin", resume_deliveries, {}, unlimited},
    {"POST", "/api/v1/message-types/{name}/test-send", "admin", send_test},
    {"GET", "/api/v1/test-sends/{id}", "admin", get_test_send},
});

/// The route with what the path says in place of its braces, or nothing when the path is another.
std::optional<Match> fit(const Route& route, const std::vector<std::string>& segments) {
    Match match{&route};
    auto pattern = route.pattern;
    for (const auto& segment : segments) {
        if (pattern.empty()) return std::nullopt;
        pattern.remove_prefix(1);  // the slash
        const auto expected = pattern.substr(0, pattern.find('/'));
        pattern.remove_prefix(expected.size());
        if (expected == "{id}") {
            const auto parsed = domain::parse_uuid(segment);
            if (!parsed) return std::nullopt;
            match.id = *parsed;
        } else if (expected == "{name}") {
            if (!domain::is_type_name(segment)) return std::nullopt;
            match.name = segment;
        } else if (expected == "{date}") {
            const auto parsed = domain::parse_date(segment);
            if (!parsed) return std::nullopt;
            match.date = *parsed;
        } else if (expected != segment) {
            return std::nullopt;
        }
    }
    return pattern.empty() ? std::optional(std::move(match)) : std::nullopt;
}

}  // namespace

std::span<const Route> routes() {
    return table;
}

std::variant<Match, NoMatch> match(std::string_view method, std::string_view path) {
    const auto segments = decode_path(path);
    if (!segments) return NoMatch{400};
    NoMatch none{404};
    for (const auto& route : table) {
        auto fitting = fit(route, *segments);
        if (!fitting) continue;
        if (route.method == method) return std::move(*fitting);
        none.status = 405;
        none.allow += (none.allow.empty() ? "" : ", ") + std::string(route.method);
        if (route.method == "GET") none.allow += ", HEAD";
    }
    return none;
}

}  // namespace api
