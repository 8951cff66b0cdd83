#include "services/api/settings.hpp"

#include "services/api/handlers.hpp"

namespace api {

namespace {

using namespace std::chrono_literals;

postgres::PoolSettings read_pool(runtime::Environment& environment, bool production) {
    postgres::PoolSettings pool;
    pool.max = environment.integer("DB_POOL_MAX", 20, 1, 1000);
    pool.min = environment.integer("DB_POOL_MIN", 5, 0, 1000);
    if (pool.min > pool.max) environment.reject("DB_POOL_MIN", "must not be above DB_POOL_MAX");
    pool.acquire_timeout = environment.duration("DB_ACQUIRE_TIMEOUT", 3s, 1ms, 10min);
    pool.idle_timeout = environment.duration("DB_IDLE_TIMEOUT", 30s, 1s, 24h);
    pool.lifetime = environment.duration("DB_MAX_LIFETIME", 30min, 0ms, 24h);
    auto& connection = pool.connection;
    connection.application_name = "api-svc";
    connection.connect_timeout =
        environment.duration("DB_CONNECT_TIMEOUT", production ? 2s : 10s, 1ms, 10min);
    connection.statement_timeout = environment.duration("DB_STATEMENT_TIMEOUT", 15s, 1ms, 1h);
    connection.query_deadline =
        environment.duration("DB_QUERY_TIMEOUT", connection.statement_timeout + 1s, 1ms, 1h);
    return pool;
}

runtime::log::Options read_log(runtime::Environment& environment) {
    const auto level = environment.choice("LOG_LEVEL", "info", {"debug", "info", "warn", "error"});
    const auto format = environment.choice("LOG_FORMAT", "json", {"json", "text"});
    return {.service = "api-svc",
            .instance = {},
            .level = runtime::log::parse_level(level).value_or(runtime::log::Level::info),
            .readable = format == "text"};
}

bool is_loopback(const std::string& address) {
    return address == "::1" || address.starts_with("127.");
}

}  // namespace

Settings read_settings(runtime::Environment& environment) {
    Settings settings;
    const auto app_env = environment.app_env();
    const bool development = app_env == runtime::AppEnv::development;
    settings.log = read_log(environment);
    settings.grace = environment.duration("SHUTDOWN_GRACE", 25s, 1s, 10min);

    settings.pool = read_pool(environment, app_env == runtime::AppEnv::production);
    settings.pool.connection.url = environment.required_url("DATABASE_URL");
    settings.unpooled_url = environment.url("DATABASE_URL_UNPOOLED").value_or(settings.pool.connection.url);

    settings.http.name = "api";
    settings.http.bind = environment.text("BIND", development ? "127.0.0.1" : "0.0.0.0");
    settings.http.port = static_cast<std::uint16_t>(environment.integer("PORT", 3000, 0, 65535));
    settings.http.threads = environment.integer("API_THREADS", 16, 1, 256);
    // Room for the headers, so that a body that is too large is our 413 with a request id.
    settings.http.max_request_size = max_body_bytes + 16 * 1024;
    settings.http.drain_timeout = settings.grace / 2;

    settings.ops.bind = environment.text("OPS_BIND", "127.0.0.1");
    settings.ops.port = static_cast<std::uint16_t>(environment.integer("OPS_PORT", 9100, 0, 65535));
    settings.keys_required = !(development && is_loopback(settings.http.bind));
    return settings;
}

}  // namespace api
