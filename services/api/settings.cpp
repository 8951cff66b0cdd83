#include "services/api/settings.hpp"

#include <algorithm>

#include "libcore/service/database_settings.hpp"
#include "libcore/service/process.hpp"
#include "services/api/handlers.hpp"

namespace api {

namespace {

bool is_loopback(const std::string& address) {
    return address == "::1" || address.starts_with("127.");
}

/// RATE_LIMIT_MAX_REQUESTS is the limit of reads and of requests without a key, and no other is above it.
RateLimits read_limits(runtime::Environment& environment) {
    using namespace std::chrono_literals;
    RateLimits limits;
    limits.window = environment.duration("RATE_LIMIT_WINDOW_MS", 60s, 1s, 24h);
    const int most = environment.integer("RATE_LIMIT_MAX_REQUESTS", 100, 1, 1'000'000);
    const auto at_most = [&](const char* name, int usual) {
        return environment.integer(name, std::min(usual, most), 1, most);
    };
    limits.requests = {at_most("RATE_LIMIT_CREATE", 10), at_most("RATE_LIMIT_UPDATE", 20), most,
                       at_most("RATE_LIMIT_DELETE", 10)};
    limits.without_key = most;
    return limits;
}

}  // namespace

Settings read_settings(runtime::Environment& environment) {
    using namespace std::chrono_literals;
    Settings settings;
    settings.app_env = environment.app_env();
    const bool development = settings.app_env == runtime::AppEnv::development;
    settings.log = service::read_log_options(environment, "api-svc");
    settings.grace = service::read_shutdown_grace(environment);
    settings.stuck_after = service::read_stuck_after(environment);
    settings.pool = service::read_database_settings(
        environment, settings.app_env,
        {.application = "api-svc", .kind = service::PoolUser::callers, .size = {.max = 20, .min = 5}});
    settings.unpooled = service::read_unpooled(environment, settings.app_env, settings.pool.connection);
    settings.replicas = service::read_replica_settings(environment, settings.app_env, settings.pool);
    settings.connection_budget = service::read_connection_budget(environment, {.api = settings.pool.max});

    settings.http.name = "api";
    settings.http.bind = environment.text("BIND", development ? "127.0.0.1" : "0.0.0.0");
    settings.http.port = static_cast<std::uint16_t>(environment.integer("PORT", 3000, 0, 65535));
    settings.http.threads = environment.integer("API_THREADS", 16, 1, 256);
    settings.door.request_timeout =
        environment.duration("API_REQUEST_TIMEOUT",
                             {settings.pool.acquire_timeout + settings.pool.connection.query_timeout,
                              "DB_ACQUIRE_TIMEOUT and DB_QUERY_TIMEOUT together"},
                             100ms, 16min);
    // Room for the headers, so that a body that is too large is our 413 with a request id.
    settings.http.max_request_size = max_body_bytes + 16 * 1024;
    settings.http.drain_timeout = settings.grace / 2;

    settings.door.keys_required = !(development && is_loopback(settings.http.bind));
    settings.door.limits = read_limits(environment);
    const auto proxies = TrustedProxies::parse(environment.text("TRUSTED_PROXIES", ""));
    if (proxies) settings.door.trusted_proxies = *proxies;
    if (!proxies) environment.reject("TRUSTED_PROXIES", proxies.errors().front().text);

    settings.provider_key_life = service::read_key_life(environment);
    settings.ops = service::read_ops_settings(environment, 9100);
    return settings;
}

}  // namespace api
