// The end of a service's database: its pools, what counts them, and what shows them.

#include "libcore/service/database_monitor.hpp"

#include <catch2/catch.hpp>
#include <optional>

#include "tests/support/postgres_fixture.hpp"

namespace {

constexpr postgres::Statement others{
    "others",
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()",
    postgres::Access::read};
constexpr postgres::Statement one{"one", "SELECT 1", postgres::Access::read};

}  // namespace

TEST_CASE("the connections of a service end while there is somebody to count them", "[threads]") {
    const support::TestDatabase server;
    auto looker = server.connection();
    runtime::Registry registry("test");
    std::optional<service::DatabaseMonitor> database(std::in_place, registry, std::stop_token{});
    {
        auto pool = database->open("main", {.connection = server.settings(), .max = 4, .reserve = 0});
        const auto first = pool.lease();
        const auto second = pool.lease();
        (*second).run(one);
    }
    REQUIRE(looker.run(others).front().get<int>(0) >= 2);
    CHECK(registry.text().find(R"(db_pool_size{pool="main",state="idle"} 2)") != std::string::npos);
    database.reset();
    CHECK(registry.counter("db_pool_connections_closed_total", "", {{"pool", "main"}, {"reason", "closed"}})
              .Value() == 2);
}
