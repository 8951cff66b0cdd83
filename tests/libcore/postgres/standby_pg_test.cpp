// What a standby is to those who read from it: a real one, which the tests may pause, freeze, kill and
// promote.

#include <catch2/catch.hpp>

#include "libcore/postgres/connection.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/servers/postgres_server.hpp"

namespace {

using postgres::Connection;
using support::eventually;
using support::PostgresServer;

constexpr postgres::Statement count{"count", "SELECT count(*) FROM t"};

int rows_at(const PostgresServer& server) {
    return Connection({.url = server.url()}).run(count).front().get<int>(0);
}

bool answers(const PostgresServer& server) {
    try {
        return Connection({.url = server.url(), .connect_timeout = std::chrono::milliseconds(200)})
            .answers_within(std::chrono::milliseconds(200));
    } catch (const postgres::DatabaseError&) {
        return false;
    }
}

}  // namespace

TEST_CASE("a standby follows, stands still, goes on, comes back and takes over") {
    const PostgresServer primary;
    Connection sql({.url = primary.url()});
    sql.execute("CREATE TABLE t (i int); INSERT INTO t VALUES (1)");
    PostgresServer standby({.primary = primary, .in_step = false});
    CHECK(rows_at(standby) == 1);

    standby.pause_replay();
    sql.execute("INSERT INTO t VALUES (2)");
    CHECK(rows_at(standby) == 1);
    standby.resume_replay();
    CHECK(eventually([&] { return rows_at(standby) == 2; }));

    standby.freeze();
    CHECK_FALSE(answers(standby));
    standby.thaw();
    CHECK(answers(standby));

    standby.kill();
    CHECK_FALSE(answers(standby));
    sql.execute("INSERT INTO t VALUES (3)");
    standby.start();
    CHECK(eventually([&] { return rows_at(standby) == 3; }));

    standby.promote();
    Connection(postgres::ConnectionSettings{.url = standby.url()}).execute("INSERT INTO t VALUES (4)");
    CHECK(rows_at(standby) == 4);
    CHECK(rows_at(primary) == 3);
}
