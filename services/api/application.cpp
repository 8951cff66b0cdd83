#include "services/api/application.hpp"

#include <algorithm>

#include "libcore/postgres/error.hpp"
#include "libcore/postgres/replica_table.hpp"
#include "services/api/api_key.hpp"
#include "services/api/random.hpp"
#include "services/api/trace_context.hpp"

namespace api {

namespace {

namespace log = runtime::log;

// Somebody waits for the answer; nothing here should take a tenth of it.
constexpr std::chrono::seconds slow{1};
constexpr auto read_after_header = "X-Read-After";
// What is done is not answered later because of a question that need not be answered.
constexpr std::chrono::milliseconds log_end_patience{100};

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
            return {400, "invalid_url", "The path holds a broken percent-escape or control characters."};
        case 405:
            return {405, "method_not_allowed", "This resource does not have that method."};
        default:
            return {404, "not_found", "There is nothing at this address."};
    }
}

/// Rounded up, so that it is never too early.
std::string whole_seconds(std::chrono::nanoseconds duration) {
    return std::to_string(std::chrono::ceil<std::chrono::seconds>(duration).count());
}

runtime::Reply reply_of(Answer answer, const std::string& request_id,
                        std::optional<std::chrono::milliseconds> retry_after) {
    if (auto* ready = std::get_if<runtime::Reply>(&answer)) return std::move(*ready);
    const auto& problem = std::get<json::Problem>(answer);
    runtime::Reply reply{.status = problem.status,
                         .content_type = "application/problem+json",
                         .body = json::encode(problem, request_id),
                         .headers = {}};
    if (problem.status == 401) reply.headers.emplace_back("WWW-Authenticate", "Bearer");
    if (problem.status == 503 && retry_after)
        reply.headers.emplace_back("Retry-After", whole_seconds(*retry_after));
    return reply;
}

/// Up to where a reader must see, as an earlier answer told it.
domain::Result<std::optional<postgres::LogPosition>> read_after(const runtime::Request& request) {
    const auto given = request.all_headers("x-read-after");
    if (given.empty()) return std::optional<postgres::LogPosition>();
    const auto position = postgres::parse_log_position(given.front());
    if (!position || given.size() > 1)
        return domain::Error{"invalid", read_after_header, "must be that of an earlier answer, once"};
    return position;
}

bool is_missing(const Answer& answer) {
    const auto* problem = std::get_if<json::Problem>(&answer);
    return problem != nullptr && problem->status == 404;
}

/// It did, or could not do, something because of what the database holds.
bool tells_of_database(int status) {
    return status / 100 == 2 || status == 404 || status == 409 || status == 412;
}

Address client_of(const runtime::Request& request, const TrustedProxies& trusted) {
    return client_address(request.peer_address, request.all_headers("x-forwarded-for"), trusted);
}

}  // namespace

Application::Application(postgres::Pool& pool, service::Replicas& replicas, Reference& reference,
                         runtime::Registry& registry, Door door, std::chrono::milliseconds key_life)
    : pool_(pool),
      replicas_(replicas),
      reference_(reference),
      metrics_(registry),
      door_(std::move(door)),
      key_life_(key_life),
      limiter_(door_.limits, random_number()) {}

runtime::Reply Application::handle(const runtime::Request& request) {
    const auto started = std::chrono::steady_clock::now();
    metrics_.begin();
    Visit visit{request, started, request_id_of(request), trace_id(request.header("traceparent")),
                match(request.method, request.path)};
    auto answer = guarded(visit);
    auto reply = reply_of(std::move(answer), visit.request_id, visit.retry_after);
    tell_position(visit, reply.status);
    for (auto& header : visit.headers) reply.headers.push_back(std::move(header));
    reply.headers.emplace_back("X-Request-Id", visit.request_id);
    const auto* found = std::get_if<Match>(&visit.target);
    const auto took = std::chrono::steady_clock::now() - started;
    metrics_.end(found ? found->route : nullptr, reply.status, took);
    if (took > slow) log_slow(visit, reply.status, took);
    return reply;
}

void Application::log_slow(const Visit& visit, int status, std::chrono::nanoseconds took) {
    const auto suppressed = slow_limit_.pass();
    if (!suppressed) return;
    const auto* found = std::get_if<Match>(&visit.target);
    log::warn("slow request", {{"route", found ? found->route->pattern : "none"},
                               {"method", visit.request.method},
                               {"status", status},
                               {"duration_ms", std::chrono::floor<std::chrono::milliseconds>(took).count()},
                               {"request_id", visit.request_id},
                               {"trace_id", visit.trace_id},
                               {"suppressed", *suppressed}});
}

Answer Application::guarded(Visit& visit) {
    const auto* found = std::get_if<Match>(&visit.target);
    const auto unavailable = [&](const std::exception& error) {
        if (const auto suppressed = unavailable_limit_.pass()) {
            log::error("database unavailable", {{"error", error.what()},
                                                {"request_id", visit.request_id},
                                                {"trace_id", visit.trace_id},
                                                {"suppressed", *suppressed}});
        }
        return json::Problem{503, "unavailable",
                             "The service cannot reach its database right now. Please try again."};
    };
    const auto log_failure = [&](const char* event, const std::exception& error) {
        log::error(event, {{"route", found ? found->route->pattern : "none"},
                           {"method", visit.request.method},
                           {"error", error.what()},
                           {"request_id", visit.request_id},
                           {"trace_id", visit.trace_id}});
    };
    try {
        return answer(visit);
    } catch (const StaleReference& error) {
        return unavailable(error);
    } catch (const postgres::NotServed& error) {
        visit.retry_after = error.retry_after();
        return unavailable(error);
    } catch (const postgres::CommitInDoubt& error) {
        // Asking again what only reads is harmless.
        if (found == nullptr || found->route->reads()) return unavailable(error);
        log_failure("a change is in doubt", error);
        visit.retry_after.reset();
        return json::Problem{503, "in_doubt",
                             "The database did not say whether the change was made. Read it again before you "
                             "repeat it."};
    } catch (const postgres::DatabaseError& error) {
        if (error.got_no_answer() || error.timed_out() || error.is_lock_timeout() || error.is_read_only())
            return unavailable(error);
        log_failure("request failed", error);
    } catch (const std::exception& error) {
        log_failure("request failed", error);
    }
    return json::Problem{500, "internal_error",
                         "Something went wrong on our side. The request id identifies it."};
}

Answer Application::answer(Visit& visit) {
    if (const auto* none = std::get_if<NoMatch>(&visit.target)) {
        const auto verdict = limiter_.admit_stranger(client_of(visit.request, door_.trusted_proxies),
                                                     std::chrono::steady_clock::now());
        if (auto problem = limited(visit, verdict, "none")) return *problem;
        if (none->status == 405) visit.headers.emplace_back("Allow", none->allow);
        return problem_of(*none);
    }
    const auto reference = reference_.current();
    if (door_.keys_required || reference->keys_exist) {
        if (auto problem = refused(visit, *reference)) return *problem;
    }
    const auto& found = std::get<Match>(visit.target);
    const auto query = Query::read(visit.request.query, found.route->parameters);
    if (!query) return problem_of(query.errors());
    return run(visit, found, *reference, *query);
}

Answer Application::run(const Visit& visit, const Match& found, const Snapshot& reference,
                        const Query& query) {
    const auto on = [&](const postgres::Pool& any) {
        auto pool = any.until(visit.started + door_.request_timeout);
        return found.route->handler({visit.request, pool, reference, query, found.id, visit.actor, found.name,
                                     found.date, key_life_});
    };
    if (!found.route->reads()) return on(pool_);
    const auto after = read_after(visit.request);
    if (!after) return problem_of(after.errors());
    return found.route->fresh ? on(pool_) : replicas_.read(*after, on, is_missing);
}

/// Whoever has written, or was refused because of what others wrote, is told what his reads must see. When
/// that cannot be known, or whether the write is done, they must see more than a replica ever has.
void Application::tell_position(Visit& visit, int status) {
    const auto* found = std::get_if<Match>(&visit.target);
    const bool in_doubt = status >= 500;
    if (replicas_.none() || found == nullptr || found->route->reads()) return;
    if (!in_doubt && !tells_of_database(status)) return;
    auto end = postgres::beyond_every_log;
    try {
        auto pool = pool_.until(std::chrono::steady_clock::now() + log_end_patience);
        if (!in_doubt) end = postgres::log_end(pool);
    } catch (const postgres::DatabaseError&) {
    }
    visit.headers.emplace_back(read_after_header, to_string(end));
}

/// Why the door stays closed.
std::optional<json::Problem> Application::refused(Visit& visit, const Snapshot& reference) {
    const auto now = std::chrono::steady_clock::now();
    const auto client = client_of(visit.request, door_.trusted_proxies);
    const auto& route = *std::get<Match>(visit.target).route;
    const auto* key = authenticate(visit.request.header("authorization"), reference.keys, now);
    if (key == nullptr) {
        if (auto problem = limited(visit, limiter_.admit_stranger(client, now), "none")) return problem;
        return json::Problem{401, "unauthorized", "Send a valid key as Authorization: Bearer <key>."};
    }
    reference_.note_use(*key);
    visit.actor = key->row.name;
    if (const auto of = class_of(route.method); route.limited) {
        if (auto problem = limited(visit, limiter_.admit(*key, client, of, now), name_of(of))) return problem;
    }
    if (!allows(*key, route.scope)) {
        return json::Problem{403, "forbidden",
                             "This key does not have the scope " + std::string(route.scope) + "."};
    }
    return std::nullopt;
}

std::optional<json::Problem> Application::limited(Visit& visit, const Verdict& verdict,
                                                  std::string_view class_name) {
    if (verdict.limit == 0) return std::nullopt;
    visit.headers.emplace_back("RateLimit-Limit", std::to_string(verdict.limit));
    visit.headers.emplace_back("RateLimit-Remaining", std::to_string(verdict.remaining));
    visit.headers.emplace_back("RateLimit-Reset", whole_seconds(verdict.refill));
    if (verdict.admitted) return std::nullopt;
    metrics_.limited(class_name);
    visit.headers.emplace_back("Retry-After", whole_seconds(verdict.wait));
    return json::Problem{429, "rate_limited",
                         "Too many requests of this kind. Retry-After says when to go on."};
}

}  // namespace api
