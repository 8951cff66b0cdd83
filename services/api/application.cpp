#include "services/api/application.hpp"

#include <algorithm>

#include "libcore/postgres/error.hpp"
#include "services/api/api_key.hpp"
#include "services/api/random.hpp"
#include "services/api/routes.hpp"

namespace api {

namespace {

namespace log = runtime::log;

/// The client's own, when it is fit for a header and a log line; else a new one.
std::string request_id_of(const runtime::Request& request) {
    constexpr std::size_t longest = 64;
    const auto given = request.header("x-request-id");
    const auto sane = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
               c == '_' || c == '.';
    };
    if (!given.empty() && given.size() <= longest && std::all_of(given.begin(), given.end(), sane)) {
        return std::string(given);
    }
    return domain::to_string(new_uuid());
}

json::Problem problem_of(const NoMatch& none) {
    switch (none.status) {
        case 400:
            return {400, "invalid_url", "The path holds a broken percent-escape."};
        case 405:
            return {405, "method_not_allowed", "This resource does not have that method."};
        default:
            return {404, "not_found", "There is nothing at this address."};
    }
}

json::Problem unavailable() {
    return {503, "unavailable", "The service cannot reach its database right now. Please try again."};
}

runtime::Reply reply_of(Answer answer, const std::string& request_id) {
    runtime::Reply reply;
    if (auto* ready = std::get_if<runtime::Reply>(&answer)) {
        reply = std::move(*ready);
    } else {
        const auto& problem = std::get<json::Problem>(answer);
        reply = {.status = problem.status,
                 .content_type = "application/problem+json",
                 .body = json::encode(problem, request_id),
                 .headers = {}};
        if (problem.status == 401) reply.headers.emplace_back("WWW-Authenticate", "Bearer");
        if (problem.status == 503) reply.headers.emplace_back("Retry-After", "1");
    }
    reply.headers.emplace_back("X-Request-Id", request_id);
    return reply;
}

}  // namespace

Application::Application(postgres::Pool& pool, Reference& reference, runtime::Registry& registry,
                         bool keys_required)
    : pool_(pool), reference_(reference), metrics_(registry), keys_required_(keys_required) {}

runtime::Reply Application::handle(const runtime::Request& request) {
    const auto started = std::chrono::steady_clock::now();
    metrics_.begin();
    const auto request_id = request_id_of(request);
    const auto target = match(request.method, request.path);
    const auto* found = std::get_if<Match>(&target);
    auto reply = reply_of(
        found ? guarded(request, *found, request_id) : problem_of(std::get<NoMatch>(target)), request_id);
    if (!found && reply.status == 405) reply.headers.emplace_back("Allow", std::get<NoMatch>(target).allow);
    metrics_.end(found ? found->route : nullptr, reply.status, std::chrono::steady_clock::now() - started);
    return reply;
}

Answer Application::guarded(const runtime::Request& request, const Match& match,
                            const std::string& request_id) {
    const auto log_unavailable = [&](const std::exception& error) {
        if (const auto suppressed = unavailable_limit_.pass()) {
            log::error("database unavailable",
                       {{"error", error.what()}, {"request_id", request_id}, {"suppressed", *suppressed}});
        }
    };
    const auto log_failure = [&](const std::exception& error) {
        log::error("request failed", {{"route", match.route->pattern},
                                      {"method", match.route->method},
                                      {"error", error.what()},
                                      {"request_id", request_id}});
    };
    try {
        return answer(request, match);
    } catch (const StaleReference& error) {
        log_unavailable(error);
        return unavailable();
    } catch (const postgres::PoolExhausted& error) {
        log_unavailable(error);
        return unavailable();
    } catch (const postgres::DatabaseError& error) {
        if (error.connection_lost() || error.timed_out()) {
            log_unavailable(error);
            return unavailable();
        }
        log_failure(error);
    } catch (const std::exception& error) {
        log_failure(error);
    }
    return json::Problem{500, "internal_error",
                         "Something went wrong on our side. The request id identifies it."};
}

Answer Application::answer(const runtime::Request& request, const Match& match) {
    const auto reference = reference_.current();
    std::string_view actor = "development";
    if (keys_required_ || !reference->keys.empty()) {
        const auto* key = authenticate(request.header("authorization"), reference->keys);
        if (key == nullptr) {
            return json::Problem{401, "unauthorized", "Send a valid key as Authorization: Bearer <key>."};
        }
        reference_.note_use(*key);
        actor = key->name;
        if (!allows(*key, match.route->scope)) {
            return json::Problem{403, "forbidden",
                                 "This key does not have the scope " + std::string(match.route->scope) + "."};
        }
    }
    return match.route->handler({request, pool_, *reference, match.id, actor});
}

}  // namespace api
