// What a pool concludes of its server from what callers meet.
#include <catch2/catch.hpp>

#include "libcore/postgres/pool.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/postgres_fixture.hpp"
#include "tests/support/tcp_gate.hpp"

using namespace std::chrono_literals;
using postgres::Circuit;
using postgres::Statement;

namespace {

constexpr Statement echo{"echo", "SELECT $1::bigint"};

}  // namespace

TEST_CASE("an answer from before the server fell silent does not close the circuit", "[threads]") {
    const support::TestDatabase database(support::TestDatabase::Content::nothing);
    support::TcpGate gate("127.0.0.1", database.port());
    postgres::PoolSettings settings{.connection = database.settings(), .max = 3, .reserve = 0};
    settings.connection.url = support::through(database.url(), gate.port());
    settings.connection.query_timeout = 1s;
    settings.circuit_failures = 2;
    postgres::Pool pool(settings);
    {
        const auto early = pool.lease();
        {
            const auto one = pool.lease(), another = pool.lease();
            REQUIRE(early->run(echo, 1).front().get<int>(0) == 1);
            gate.stall();
            CHECK_THROWS_AS(one->run(echo, 2), postgres::DatabaseError);
            CHECK_THROWS_AS(another->run(echo, 3), postgres::DatabaseError);
        }
        REQUIRE(support::eventually([&] { return pool.state().circuit == Circuit::State::open; }));
        CHECK_THROWS_AS(early->run(echo, 4), postgres::DatabaseError);
    }
    CHECK(pool.state().circuit == Circuit::State::open);
    CHECK_THROWS_AS(pool.run(echo, 5), postgres::CircuitOpen);
    gate.forward();
    CHECK(support::eventually([&] { return pool.state().circuit == Circuit::State::closed; }));
}
