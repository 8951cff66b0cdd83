#include "libcore/service/replica_settings.hpp"

#include <catch2/catch.hpp>

#include "libcore/postgres/url.hpp"
#include "libcore/service/database_settings.hpp"

namespace {

using namespace std::chrono_literals;
using Catch::Matchers::Contains;
using runtime::AppEnv;
using runtime::Environment;
using runtime::Variables;

struct Config {
    std::string errors() const {
        std::string all;
        for (const auto& error : environment.errors()) all += error + "; ";
        return all;
    }

    Environment environment;
    std::vector<service::ReplicaSettings> replicas;
};

Config config(Variables variables, AppEnv app_env = AppEnv::production) {
    variables.emplace("DATABASE_URL", "postgresql://localhost/tidings");
    Config read{Environment(std::move(variables)), {}};
    const auto primary = service::read_database_settings(
        read.environment, app_env, {"api-svc", service::PoolUser::callers, {.max = 20, .min = 5}});
    read.replicas = service::read_replica_settings(read.environment, app_env, primary);
    return read;
}

}  // namespace

TEST_CASE("without READ_REPLICA_URL there is no replica") {
    CHECK(config({}).replicas.empty());
    CHECK(config({}).errors().empty());
}

TEST_CASE("each URL and each host in it is a replica with a pool of its own") {
    const auto read = config({{"READ_REPLICA_URL",
                               "postgresql://ada:can,ary@one,127.0.0.1:5433/tidings?sslmode=require,"
                               "postgres:///tidings?host=/run/three&target_session_attrs=standby"},
                              {"READ_REPLICA_POOL_MAX", "7"},
                              {"DB_IDLE_TIMEOUT", "9s"}});
    CHECK(read.errors().empty());
    REQUIRE(read.replicas.size() == 3);
    CHECK(read.replicas[0].name == "one:5432");
    CHECK(read.replicas[1].name == "127.0.0.1:5433");
    CHECK(read.replicas[2].name == "/run/three:5432");
    for (const auto& replica : read.replicas) {
        CHECK(replica.pool.max == 7);
        CHECK(replica.pool.min == 0);
        CHECK(replica.pool.reserve == 0);
        CHECK(replica.pool.circuit_failures == 0);
        CHECK(replica.pool.idle_timeout == 9s);
        CHECK(replica.pool.connection.query_timeout == 2s);
        CHECK(replica.pool.connection.statement_timeout == 2s);
    }
    auto options = postgres::options_of_url(read.replicas[1].pool.connection.url);
    CHECK(options["host"] == "127.0.0.1");
    CHECK(options["port"] == "5433");
    CHECK(options["dbname"] == "tidings");
    CHECK(options["user"] == "ada");
    CHECK(options["password"] == "can,ary");
    CHECK(options["target_session_attrs"] == "any");
    CHECK_THAT(read.environment.table(), !Contains("ary"));
}

TEST_CASE("a replica on another machine is verified in production like the primary") {
    const auto read = config({{"READ_REPLICA_URL", "postgresql://one/x"}});
    CHECK(read.replicas.front().pool.connection.sslmode == "verify-full");
    CHECK(config({{"READ_REPLICA_URL", "postgresql://one/x"}}, AppEnv::development)
              .replicas.front()
              .pool.connection.sslmode == "prefer");
}

TEST_CASE("a wrong READ_REPLICA_URL ends the program by name, and is not repeated") {
    const auto malformed = config({{"READ_REPLICA_URL", "postgresql://ada:can@ry@one/x"}});
    CHECK_THAT(malformed.errors(), Contains("READ_REPLICA_URL is malformed") && !Contains("can@ry"));
    const auto twice = config({{"READ_REPLICA_URL", "postgresql://one/x,postgresql://one:5432/x"}});
    CHECK(twice.errors() == "READ_REPLICA_URL names one:5432 twice; ");
}
