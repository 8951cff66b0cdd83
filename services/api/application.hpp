// From a request to its reply: request id, route, key, handler, problem, metrics. The route wrapper: whatever
// a handler throws ends here, and nothing internal reaches a client.
#pragma once

#include "libcore/postgres/pool.hpp"
#include "libcore/runtime/http_server.hpp"
#include "libcore/runtime/log.hpp"
#include "libcore/service/replicas.hpp"
#include "services/api/client_address.hpp"
#include "services/api/rate_limiter.hpp"
#include "services/api/reference.hpp"
#include "services/api/request_metrics.hpp"
#include "services/api/routes.hpp"

namespace api {

/// Who may come in, how often, and for how long.
struct Door {
    bool keys_required =
        true;  ///< false only in development on loopback: open as long as there never was a key
    RateLimits limits;
    TrustedProxies trusted_proxies;
    /// What the database has not answered by then is stopped there.
    std::chrono::milliseconds request_timeout{};
};

/// Thread-safe.
class Application {
public:
    Application(postgres::Pool& pool, service::Replicas& replicas, Reference& reference,
                runtime::Registry& registry, Door door, std::chrono::milliseconds key_life);

    runtime::Reply handle(const runtime::Request& request);

private:
    using Target = std::variant<Match, NoMatch>;
    using Headers = std::vector<std::pair<std::string, std::string>>;
    struct Visit {
        const runtime::Request& request;
        std::chrono::steady_clock::time_point started;
        std::string request_id;
        std::string_view trace_id;  ///< empty: the client follows no trace
        Target target;
        Headers headers = {};  ///< of the reply, whatever it is
        std::string_view actor = "development";
        std::optional<std::chrono::milliseconds> retry_after = std::chrono::seconds(1);  ///< of a 503
    };

    void log_slow(const Visit& visit, int status, std::chrono::nanoseconds took);
    Answer guarded(Visit& visit);
    Answer answer(Visit& visit);
    Answer run(const Visit& visit, const Match& found, const Snapshot& reference, const Query& query);
    void tell_position(Visit& visit, int status);
    std::optional<json::Problem> refused(Visit& visit, const Snapshot& reference);
    std::optional<json::Problem> limited(Visit& visit, const Verdict& verdict, std::string_view class_name);

    postgres::Pool& pool_;
    service::Replicas& replicas_;
    Reference& reference_;
    RequestMetrics metrics_;
    const Door door_;
    const std::chrono::milliseconds key_life_;
    RateLimiter limiter_;
    runtime::log::RateLimit slow_limit_{std::chrono::seconds(1)};
    runtime::log::RateLimit unavailable_limit_{std::chrono::seconds(1)};
};

}  // namespace api
