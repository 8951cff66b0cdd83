// The constant table of routes, and the way from a request's target to its row. Pure.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "libcore/domain/uuid.hpp"
#include "services/api/handlers.hpp"

namespace api {

struct Route {
    std::string_view method;
    std::string_view
        pattern;             ///< "{id}" stands for a UUID, "{name}" for a message type's, "{date}" for a day
    std::string_view scope;  ///< what a key must allow
    Handler handler;
    std::span<const Parameter> parameters = {};  ///< that its query may have
    bool limited = true;                         ///< by key and address; false: never refused for its rate
    bool fresh = false;                          ///< a read that must show all that is committed

    bool reads() const { return method == "GET"; }
};

std::span<const Route> routes();

struct Match {
    const Route* route;
    domain::Uuid id{};
    std::string name = {};
    domain::Date date{};
};

/// The route, or why there is none: 400, 404, or 405 with the value of its Allow header.
struct NoMatch {
    int status;
    std::string allow = {};
};
std::variant<Match, NoMatch> match(std::string_view method, std::string_view path);

}  // namespace api
