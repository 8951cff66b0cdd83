#include "libcore/service/database_settings.hpp"

#include <catch2/catch.hpp>
#include <sstream>

namespace {

using namespace std::chrono_literals;
using Catch::Matchers::Contains;
using runtime::AppEnv;
using runtime::Environment;
using runtime::Variables;
using service::PoolUser;

const PoolUser api{.application = "api-svc", .kind = PoolUser::callers, .size = {20, 5}};
const PoolUser scheduler{.application = "scheduler-svc", .kind = PoolUser::loops, .size = {4, 1}};

struct Config {
    /// "VALUE ORIGIN".
    std::string shown(const std::string& name) const {
        std::istringstream lines(environment.table());
        for (std::string line; std::getline(lines, line);) {
            if (!line.starts_with(name + ' ')) continue;
            std::istringstream words(line.substr(name.size()));
            std::string shown;
            for (std::string word; words >> word;) shown += (shown.empty() ? "" : " ") + word;
            return shown;
        }
        return "is not shown";
    }

    /// All of them, in one line.
    std::string errors() const {
        std::string all;
        for (const auto& error : environment.errors()) all += error + "; ";
        return all;
    }

    Environment environment;
    postgres::PoolSettings settings;
};

Config config(Variables variables, AppEnv app_env = AppEnv::production, const PoolUser& user = api) {
    variables.emplace("DATABASE_URL", "postgresql://localhost/tidings");
    Config read{Environment(std::move(variables)), {}};
    read.settings = service::read_database_settings(read.environment, app_env, user);
    return read;
}

std::string sslmode(const std::string& url, AppEnv app_env = AppEnv::production) {
    return config({{"DATABASE_URL", url}}, app_env).settings.connection.sslmode;
}

}  // namespace

TEST_CASE("a variable is stronger than preset, profile and policy, and each value says whose it is") {
    const Config read = config({{"DB_POOL_PRESET", "discord"},
                                {"DB_POOL_SIZING", "cpu"},
                                {"DB_POOL_MAX", "77"},
                                {"DB_IDLE_TIMEOUT", "9s"},
                                {"DB_LIFETIME_SECS", "90"},
                                {"DB_MAX_USES", "100"}});
    CHECK(read.errors().empty());
    CHECK(read.settings.max == 77);
    CHECK(read.settings.idle_timeout == 9s);
    CHECK(read.settings.max_lifetime == 90s);
    CHECK(read.settings.max_uses == 100);
    CHECK(read.settings.connection.statement_timeout == 10s);
    CHECK(read.settings.connection.query_timeout == 11s);
    CHECK(read.shown("DB_POOL_PRESET") == "discord environment");
    CHECK(read.shown("DB_POOL_MAX") == "77 environment");
    CHECK_THAT(read.shown("DB_POOL_MIN"), Contains("sizing cpu, "));
    CHECK(read.shown("DB_IDLE_TIMEOUT") == "9s environment");
    CHECK(read.shown("DB_LIFETIME") == "90s environment DB_LIFETIME_SECS");
    CHECK(read.shown("DB_STATEMENT_TIMEOUT") == "10s preset lean");
    CHECK(read.shown("DB_QUERY_TIMEOUT") == "11s 1s above DB_STATEMENT_TIMEOUT");
    CHECK(read.shown("DB_CONNECT_TIMEOUT") == "5s preset lean");
    CHECK(config({}).shown("DB_CONNECT_TIMEOUT") == "2s profile production");
    CHECK(config({}).shown("DB_POOL_MAX") == "20 default");
    CHECK(config({}).shown("DB_MAX_USES") == "0 default");
    CHECK(config({{"DB_POOL_PRESET", "neon"}}).shown("DB_MAX_USES") == "5000 preset serverless");
}

TEST_CASE("the circuit of the database has its settings, and a program wants the server that takes writes") {
    const Config usual = config({});
    CHECK(usual.settings.circuit_failures == 5);
    CHECK(usual.settings.circuit_open_for == 30s);
    CHECK(usual.settings.connection.target_session_attrs == "read-write");
    const Config chosen = config({{"DB_CIRCUIT_FAILURES", "0"}, {"DB_CIRCUIT_OPEN", "5s"}});
    CHECK(chosen.settings.circuit_failures == 0);
    CHECK(chosen.settings.circuit_open_for == 5s);
    CHECK(chosen.shown("DB_CIRCUIT_OPEN") == "5s environment");
}

TEST_CASE("demand is asked for what it sizes for, by the policy or by a preset") {
    const Variables busy{{"PEAK_RPS", "100"}};
    for (const auto& [name, value] : Variables{{"DB_POOL_SIZING", "demand"}, {"DB_POOL_PRESET", "neon"}}) {
        CAPTURE(name);
        Variables variables = busy;
        variables[name] = value;
        const Config read = config(variables);
        CHECK(read.settings.max == 25);
        CHECK(read.shown("DB_POOL_MAX") == "25 sizing demand");
        CHECK(read.shown("PEAK_RPS") == "100 environment");
        CHECK(read.shown("EXPECTED_CONCURRENT_USERS") == "100 default");
    }
    CHECK(config(busy).settings.max == 20);
}

TEST_CASE("the pool of loops obeys variables alone") {
    const Variables all_for_api{{"DB_POOL_PRESET", "wide"}, {"DB_POOL_SIZING", "cpu"}};
    for (const auto app_env : {AppEnv::production, AppEnv::development}) {
        const Config read = config(all_for_api, app_env, scheduler);
        CHECK(read.settings.max == 4);
        CHECK(read.settings.min == 1);
        CHECK(read.settings.idle_timeout == 10min);
    }
    CHECK(config({{"DB_POOL_MAX", "64"}}, AppEnv::production, scheduler).settings.max == 64);
}

TEST_CASE("what nobody set yields to what somebody did") {
    const Config small = config({{"DB_POOL_MAX", "3"}, {"DB_LIFETIME", "20s"}});
    CHECK(small.errors().empty());
    CHECK(small.settings.min == 3);
    CHECK(small.shown("DB_POOL_MIN") == "3 default, at most DB_POOL_MAX");
    CHECK(small.settings.idle_timeout == 20s);
}

TEST_CASE("how connections are cared for is the environment's to say, and usually nobody says it") {
    const Config usual = config({});
    CHECK(usual.settings.validation == postgres::Validation::peek);
    CHECK(usual.settings.health_check == 30s);
    CHECK(usual.settings.leak_after == 30s);
    CHECK_FALSE(usual.settings.max_waiting);
    const Config read = config({{"DB_VALIDATION", "ping"},
                                {"DB_HEALTH_CHECK", "5s"},
                                {"DB_CONNECTS_AT_ONCE", "2"},
                                {"DB_CONNECTS_PER_SECOND", "3"},
                                {"DB_MAX_WAITING", "7"},
                                {"DB_SHED_ABOVE", "0"},
                                {"DB_LEAK_AFTER_SECS", "90"}});
    CHECK(read.errors().empty());
    CHECK(read.settings.validation == postgres::Validation::ping);
    CHECK(read.settings.health_check == 5s);
    CHECK(read.settings.connects_at_once == 2);
    CHECK(read.settings.connects_per_second == 3);
    CHECK(read.settings.max_waiting == 7);
    CHECK(read.settings.shed_above == 0ms);
    CHECK(read.settings.leak_after == 90s);
    CHECK(config({{"DB_VALIDATION", "off"}}).settings.validation == postgres::Validation::off);
}

TEST_CASE("settings that contradict each other are refused by name") {
    const auto [variables, error] = GENERATE(table<Variables, std::string>({
        {{{"DB_POOL_MAX", "3"}, {"DB_POOL_MIN", "4"}}, "DB_POOL_MIN is above DB_POOL_MAX"},
        {{{"DB_POOL_MIN", "21"}}, "DB_POOL_MIN is above DB_POOL_MAX"},
        {{{"DB_LIFETIME", "20s"}, {"DB_IDLE_TIMEOUT", "30s"}}, "DB_IDLE_TIMEOUT is above DB_LIFETIME"},
        {{{"DB_QUERY_TIMEOUT", "14s"}}, "DB_QUERY_TIMEOUT is below DB_STATEMENT_TIMEOUT"},
        {{{"DB_POOL_PRESET", "huge"}}, "DB_POOL_PRESET must be one of none, standard, birthday, wide"},
        {{{"DB_POOL_SIZING", "guess"}}, "DB_POOL_SIZING must be one of fixed, cpu, demand"},
        {{{"DB_POOL_MAX", "20"}, {"DATABASE_POOL_MAX", "30"}},
         "DB_POOL_MAX and DATABASE_POOL_MAX say different things: 20 and 30"},
        {{{"DATABASE_POOL_MAX", "20"}, {"DB_MAX_CONNECTIONS", "30"}},
         "DATABASE_POOL_MAX and DB_MAX_CONNECTIONS say different things: 20 and 30"},
        {{{"DB_ACQUIRE_TIMEOUT", "3000"}, {"DB_ACQUIRE_TIMEOUT_SECS", "3000"}},
         "DB_ACQUIRE_TIMEOUT_SECS must be a duration"},
        {{{"DB_ACQUIRE_TIMEOUT", "3000"}, {"DB_ACQUIRE_TIMEOUT_SECS", "4"}},
         "DB_ACQUIRE_TIMEOUT and DB_ACQUIRE_TIMEOUT_SECS say different things: 3s and 4s"},
        {{{"DB_SSLMODE", "require"}, {"DATABASE_URL", "postgresql://db/x?sslmode=disable"}},
         "DB_SSLMODE is require, but DATABASE_URL says sslmode=disable"},
        {{{"DB_SSLROOTCERT", "/no/such/file"}}, "DB_SSLROOTCERT names a file that cannot be read"},
    }));
    CHECK_THAT(config(variables).errors(), Contains(error));
}

TEST_CASE("names of one setting may all be used for one value") {
    const Config read = config({{"DB_POOL_MAX", "30"},
                                {"DATABASE_POOL_MAX", "30"},
                                {"DB_MAX_CONNECTIONS", "30"},
                                {"DB_MIN_CONNECTIONS", "2"},
                                {"DB_ACQUIRE_TIMEOUT", "4000"},
                                {"DB_ACQUIRE_TIMEOUT_SECS", "4"}});
    CHECK(read.errors().empty());
    CHECK(read.environment.warnings().empty());
    CHECK(read.settings.max == 30);
    CHECK(read.settings.min == 2);
    CHECK(read.settings.acquire_timeout == 4s);
    CHECK(read.shown("DB_POOL_MIN") == "2 environment DB_MIN_CONNECTIONS");
}

TEST_CASE("production verifies a server on another machine, and no other") {
    for (const auto* url : {"postgresql://db/x", "postgresql://10.0.0.1/x", "postgresql://localhost,db/x",
                            "postgresql://localhost/x?hostaddr=10.0.0.1",
                            "postgresql://db/x?hostaddr=127.0.0.1", "postgresql://localhost.example.org/x"}) {
        CAPTURE(url);
        CHECK(sslmode(url) == "verify-full");
        CHECK(sslmode(url, AppEnv::staging) == "prefer");
    }
    for (const auto* url : {"postgresql:///x", "postgresql://localhost/x", "postgresql://127.0.0.1:5433/x",
                            "postgresql://[::1]/x", "postgresql:///x?host=/run/postgresql",
                            "postgresql://%2Frun%2Fpostgresql/x", "postgresql://localhost,127.0.0.2/x"}) {
        CAPTURE(url);
        CHECK(sslmode(url) == "prefer");
    }
    const Config read = config({{"DATABASE_URL", "postgresql://db/x"}});
    CHECK(read.settings.connection.sslrootcert == "/etc/ssl/certs/ca-certificates.crt");
    CHECK(read.shown("DB_SSLMODE") == "verify-full profile production");
    CHECK(read.environment.warnings().empty());
    CHECK(config({}).settings.connection.sslrootcert.empty());
}

TEST_CASE("production believes a weaker word about encryption, and warns") {
    const Config by_url = config({{"DATABASE_URL", "postgresql://db/x?sslmode=require"}});
    CHECK(by_url.settings.connection.sslmode == "require");
    CHECK(by_url.shown("DB_SSLMODE") == "require DATABASE_URL");
    const Config by_variable = config({{"DATABASE_URL", "postgresql://db/x"}, {"DB_SSLMODE", "verify-ca"}});
    CHECK(by_variable.settings.connection.sslmode == "verify-ca");
    const Config by_libpq = config({{"DATABASE_URL", "postgresql://db/x"}, {"PGSSLMODE", "disable"}});
    CHECK(by_libpq.shown("DB_SSLMODE") == "disable environment PGSSLMODE");
    for (const auto* read : {&by_url, &by_variable, &by_libpq}) {
        CHECK(read->errors().empty());
        REQUIRE(read->environment.warnings().size() == 1);
        CHECK_THAT(read->environment.warnings()[0], Contains("DATABASE_URL is used with sslmode"));
    }
    CHECK(config({{"DATABASE_URL", "postgresql://db/x"}, {"DB_SSLMODE", "disable"}}, AppEnv::staging)
              .environment.warnings()
              .empty());
}

TEST_CASE("what needs a session of its own goes past the pooler, verified as its own URL asks for") {
    const auto unpooled = [](Config& read) {
        return service::read_unpooled(read.environment, AppEnv::production, read.settings.connection);
    };
    Config one = config({});
    CHECK(unpooled(one).url == "postgresql://localhost/tidings");
    Config two =
        config({{"DATABASE_URL_UNPOOLED", "postgresql://db/tidings"}, {"DB_STATEMENT_TIMEOUT", "7s"}});
    CHECK(unpooled(two).url == "postgresql://db/tidings");
    CHECK(unpooled(two).sslmode == "verify-full");
    CHECK(unpooled(two).statement_timeout == 7s);
    CHECK(two.settings.connection.sslmode == "prefer");
    Config three = config({{"DATABASE_URL_UNPOOLED", "postgresql://ada:can@ry@db/tidings"}});
    CHECK(unpooled(three).application_name == "api-svc");
    CHECK_THAT(three.errors(), Contains("DATABASE_URL_UNPOOLED is malformed") && !Contains("can@ry"));
}

TEST_CASE("the budget counts the replicas that the environment tells of") {
    Environment environment(Variables{{"API_REPLICAS", "2"}, {"WORKER_REPLICAS", "4"}});
    CHECK(service::read_connection_budget(environment, {.api = 20}) == 180);
}
