#include "libcore/service/database_settings.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

#include "libcore/postgres/url.hpp"
#include "libcore/runtime/processors.hpp"

namespace service {

using namespace std::chrono_literals;
using runtime::AppEnv;
using runtime::Environment;
using runtime::Fallback;

namespace {

// Debian's, which libpq does not know by itself.
constexpr auto system_roots = "/etc/ssl/certs/ca-certificates.crt";

/// libpq's own variables are names of these settings, so that it finds none that are not shown.
void name_aliases(Environment& environment) {
    environment.alias("DB_POOL_MAX", {"DATABASE_POOL_MAX", "DB_MAX_CONNECTIONS"});
    environment.alias("DB_POOL_MIN", {"DATABASE_POOL_MIN", "DB_MIN_CONNECTIONS"});
    environment.alias("DB_SSLMODE", {"PGSSLMODE"});
    environment.alias("DB_SSLROOTCERT", {"PGSSLROOTCERT"});
}

/// How the way to the server of `url_name` is encrypted, and who is believed to be that server.
class Tls {
public:
    Tls(Environment& environment, AppEnv app_env, const char* url_name, const std::string& url)
        : environment_(environment),
          url_name_(url_name),
          options_(postgres::options_of_url(url)),
          exposed_(app_env == AppEnv::production && !postgres::is_local(options_)) {}

    void read(postgres::ConnectionSettings& connection) const {
        const auto usual = exposed_ ? Fallback<std::string>("verify-full", "profile production") : "prefer";
        const auto mode = said_by_url("sslmode", usual);
        connection.sslmode = environment_.choice(
            "DB_SSLMODE", mode, {"disable", "allow", "prefer", "require", "verify-ca", "verify-full"});
        must_agree("DB_SSLMODE", "sslmode", connection.sslmode);
        const bool verifies = connection.sslmode.starts_with("verify-");
        connection.sslrootcert =
            environment_.text("DB_SSLROOTCERT", said_by_url("sslrootcert", verifies ? system_roots : ""));
        must_agree("DB_SSLROOTCERT", "sslrootcert", connection.sslrootcert);
        if (!connection.sslrootcert.empty() && ::access(connection.sslrootcert.c_str(), R_OK) != 0) {
            environment_.reject("DB_SSLROOTCERT",
                                "names a file that cannot be read: " + connection.sslrootcert);
        }
        if (exposed_ && connection.sslmode != "verify-full") {
            environment_.warn(url_name_,
                              fmt::format("is used with sslmode {} in production: who answers need not be "
                                          "the server that is meant",
                                          connection.sslmode));
        }
    }

private:
    Fallback<std::string> said_by_url(const char* option, Fallback<std::string> usual) const {
        const auto said = options_.find(option);
        return said == options_.end() ? usual : Fallback<std::string>(said->second, url_name_);
    }

    void must_agree(const char* name, const char* option, const std::string& value) const {
        const auto said = options_.find(option);
        if (said == options_.end() || said->second == value) return;
        environment_.reject(name,
                            fmt::format("is {}, but {} says {}={}", value, url_name_, option, said->second));
    }

    Environment& environment_;
    const char* const url_name_;
    const postgres::UrlOptions options_;
    const bool exposed_;
};

Demand read_demand(Environment& environment) {
    constexpr int most = 1'000'000;
    Demand demand;
    demand.concurrent_users =
        environment.integer("EXPECTED_CONCURRENT_USERS", demand.concurrent_users, 1, most);
    demand.queries_per_user = environment.integer("AVG_QUERIES_PER_USER", demand.queries_per_user, 1, most);
    demand.peak_rps = environment.integer("PEAK_RPS", demand.peak_rps, 1, most);
    return demand;
}

PoolPlan read_plan(Environment& environment, AppEnv app_env, const PoolUser& user) {
    const Preset& preset = preset_named(environment.choice("DB_POOL_PRESET", "none", preset_names()));
    PoolNeeds needs{.own = user.size};
    if (user.kind == PoolUser::callers) {
        needs.sizing =
            sizing_named(environment.choice("DB_POOL_SIZING", usual_sizing(preset), sizing_names()));
        needs.cores = runtime::processors();
        if (needs.sizing == Sizing::demand) needs.demand = read_demand(environment);
    }
    return plan_pool(preset, app_env, needs);
}

/// What is done for connections that rest, that are made, that are waited for, that stay out.
void read_care(Environment& environment, postgres::PoolSettings& settings) {
    constexpr int most_connects = 500, max_waiting = 100'000;
    const auto validation = environment.choice("DB_VALIDATION", "peek", {"off", "peek", "ping"});
    settings.validation = validation == "off"    ? postgres::Validation::off
                          : validation == "ping" ? postgres::Validation::ping
                                                 : postgres::Validation::peek;
    settings.health_check = environment.duration("DB_HEALTH_CHECK", settings.health_check, 0s, 1h);
    settings.connects_at_once =
        environment.integer("DB_CONNECTS_AT_ONCE", settings.connects_at_once, 0, most_connects);
    settings.connects_per_second =
        environment.integer("DB_CONNECTS_PER_SECOND", settings.connects_per_second, 0, most_connects);
    // By the size of the pool, which may change.
    const int waiting = environment.integer("DB_MAX_WAITING", 0, 0, max_waiting);
    if (waiting > 0) settings.max_waiting = waiting;
    settings.shed_above = environment.duration("DB_SHED_ABOVE", settings.shed_above, 0s, 1min);
    settings.leak_after = environment.duration("DB_LEAK_AFTER", settings.leak_after, 0s, 24h);
}

/// What nobody set yields to what somebody did.
template <class T>
Fallback<T> at_most(const Fallback<T>& usual, const T& limit, const char* name) {
    if (usual.value <= limit) return usual;
    return {limit, fmt::format("{}, at most {}", usual.origin, name)};
}

}  // namespace

void read_server(Environment& environment, AppEnv app_env, const char* url_name,
                 postgres::ConnectionSettings& connection) {
    if (const auto problem = postgres::problem_of_url(connection.url)) environment.reject(url_name, *problem);
    Tls(environment, app_env, url_name, connection.url).read(connection);
}

postgres::PoolSettings read_database_settings(Environment& environment, AppEnv app_env,
                                              const PoolUser& user) {
    name_aliases(environment);
    postgres::PoolSettings settings;
    auto& connection = settings.connection;
    connection.url = environment.required_url("DATABASE_URL");
    connection.application_name = user.application;
    // A program that writes has no use for a server that does not, and of several finds the one that does.
    connection.target_session_attrs = "read-write";
    read_server(environment, app_env, "DATABASE_URL", connection);

    const PoolPlan plan = read_plan(environment, app_env, user);
    settings.max = environment.integer("DB_POOL_MAX", plan.max, 1, 500);
    settings.min = environment.integer("DB_POOL_MIN", at_most(plan.min, settings.max, "DB_POOL_MAX"), 0, 500);
    settings.acquire_timeout = environment.duration("DB_ACQUIRE_TIMEOUT", plan.acquire, 10ms, 5min);
    connection.connect_timeout = environment.duration("DB_CONNECT_TIMEOUT", plan.connect, 100ms, 60s);
    settings.max_lifetime = environment.duration("DB_LIFETIME", plan.lifetime, 1s, 24h);
    settings.idle_timeout = environment.duration(
        "DB_IDLE_TIMEOUT", at_most(plan.idle, settings.max_lifetime, "DB_LIFETIME"), 1s, 1h);
    settings.max_uses = environment.integer("DB_MAX_USES", plan.uses, 0, 1'000'000'000);
    settings.circuit_failures =
        environment.integer("DB_CIRCUIT_FAILURES", settings.circuit_failures, 0, 1'000);
    settings.circuit_open_for = environment.duration("DB_CIRCUIT_OPEN", settings.circuit_open_for, 100ms, 1h);
    connection.statement_timeout = environment.duration("DB_STATEMENT_TIMEOUT", plan.statement, 100ms, 10min);
    connection.query_timeout = environment.duration(
        "DB_QUERY_TIMEOUT", {connection.statement_timeout + 1s, "1s above DB_STATEMENT_TIMEOUT"}, 100ms,
        11min);

    read_care(environment, settings);

    if (settings.min > settings.max) environment.reject("DB_POOL_MIN", "is above DB_POOL_MAX");
    if (settings.idle_timeout > settings.max_lifetime)
        environment.reject("DB_IDLE_TIMEOUT", "is above DB_LIFETIME");
    if (connection.query_timeout < connection.statement_timeout)
        environment.reject("DB_QUERY_TIMEOUT",
                           "is below DB_STATEMENT_TIMEOUT: the server would go on for nobody");
    return settings;
}

postgres::ConnectionSettings read_unpooled(Environment& environment, AppEnv app_env,
                                           postgres::ConnectionSettings pooled) {
    constexpr auto name = "DATABASE_URL_UNPOOLED";
    const auto url = environment.url(name);
    if (!url) return pooled;
    pooled.url = *url;
    read_server(environment, app_env, name, pooled);
    return pooled;
}

int read_connection_budget(Environment& environment, const OwnPool& own) {
    const int apis = environment.integer("API_REPLICAS", 1, 0, 1'000);
    const int workers = environment.integer("WORKER_REPLICAS", 1, 0, 1'000);
    return connection_budget(apis, workers, own);
}

}  // namespace service
