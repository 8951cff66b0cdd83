#include "services/api/routes.hpp"

#include <array>
#include <vector>

#include "services/api/url.hpp"

namespace api {

namespace {

constexpr std::array<Route, 9> table = {{
    {"POST", "/api/v1/users", "users:write", create_user},
    {"GET", "/api/v1/users/{id}", "users:read", get_user},
    {"PUT", "/api/v1/users/{id}", "users:write", replace_user},
    {"PATCH", "/api/v1/users/{id}", "users:write", change_user},
    {"DELETE", "/api/v1/users/{id}", "users:write", delete_user},
    {"GET", "/api/v1/users/{id}/messages", "messages:read", list_user_messages, message_list_parameters},
    {"GET", "/api/v1/pause", "admin", get_pause},
    {"POST", "/api/v1/pause", "admin", pause_deliveries},
    {"POST", "/api/v1/resume", "admin", resume_deliveries},
}};

/// The UUID in the path (all zero where the pattern has none), or nothing when the path is another.
std::optional<domain::Uuid> fit(std::string_view pattern, const std::vector<std::string>& segments) {
    domain::Uuid id;
    for (const auto& segment : segments) {
        if (pattern.empty()) return std::nullopt;
        pattern.remove_prefix(1);  // the slash
        const auto expected = pattern.substr(0, pattern.find('/'));
        pattern.remove_prefix(expected.size());
        if (expected == "{id}") {
            const auto parsed = domain::parse_uuid(segment);
            if (!parsed) return std::nullopt;
            id = *parsed;
        } else if (expected != segment) {
            return std::nullopt;
        }
    }
    return pattern.empty() ? std::optional(id) : std::nullopt;
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
        const auto id = fit(route.pattern, *segments);
        if (!id) continue;
        if (route.method == method) return Match{&route, *id};
        none.status = 405;
        none.allow += (none.allow.empty() ? "" : ", ") + std::string(route.method);
        if (route.method == "GET") none.allow += ", HEAD";
    }
    return none;
}

}  // namespace api
