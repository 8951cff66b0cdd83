// A server that no longer takes writes while connections to it live on: what it refuses was not done, and
// runs again over others.
#include <catch2/catch.hpp>
#include <functional>
#include <vector>

#include "libcore/postgres/transaction.hpp"
#include "tests/libcore/postgres/error_of.hpp"
#include "tests/support/postgres_fixture.hpp"
#include "tests/support/servers/postgres_server.hpp"

using namespace std::chrono_literals;
using postgres::error_of;
using postgres::Pool;
using postgres::PoolSettings;
using postgres::Statement;
using postgres::Transaction;
using support::PostgresServer;

namespace {

constexpr Statement insert{"insert_t", "INSERT INTO t VALUES (1)"};
constexpr Statement count{"count_t", "SELECT count(*) FROM t", postgres::Access::read};

using Write = std::function<void(Pool&)>;

void write_alone(Pool& pool) {
    pool.run(insert);
}

void write_in_transaction(Pool& pool) {
    postgres::transact(pool, [](Transaction& transaction) {
        transaction.run(count);
        transaction.run(insert);
    });
}

/// Returns when so many rest.
void open(Pool& pool, int connections) {
    std::vector<postgres::Lease> leases;
    for (int i = 0; i < connections; ++i) leases.push_back(pool.lease());
}

}  // namespace

TEST_CASE("a write that a replaced primary refuses is done by the one that has replaced it") {
    const PostgresServer primary;
    const PostgresServer standby(PostgresServer::StandbyOf{primary});
    const PoolSettings settings{
        .connection = {.url = PostgresServer::url_of_either(primary, standby)}, .max = 3, .reserve = 0};
    Pool one(settings), other(settings);
    one.run({"create", "CREATE TABLE t (n int)"});
    open(one, 3);
    open(other, 3);
    standby.promote();
    primary.refuse_writes();

    write_alone(one);
    write_in_transaction(other);

    CHECK(one.run(count).front().get<int>(0) == 2);
    CHECK(postgres::Connection({.url = standby.url()}).run(count).front().get<int>(0) == 2);
}

TEST_CASE(
    "a write that is refused everywhere is given up after three more runs, each over another connection") {
    const Write write = GENERATE(as<Write>(), write_alone, write_in_transaction);
    const support::TestDatabase database(support::TestDatabase::Content::nothing);
    database.connection().execute(
        "CREATE TABLE t (n int);"
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE read_only_sql_transaction; END $$;"
        "CREATE TRIGGER refuse BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION refuse()");
    int opened = 0;
    Pool pool({.connection = database.settings(), .max = 3, .reserve = 0, .connects_per_second = 0},
              [&](const postgres::Observation& seen) {
                  if (seen.kind == postgres::Observation::Kind::connect) ++opened;
              });
    open(pool, 3);
    REQUIRE(opened == 3);

    CHECK(error_of([&] { write(pool); }).is_read_only());

    CHECK(opened == 3 + 3);
    CHECK(pool.state().total == 0);
    CHECK(pool.run(count).front().get<int>(0) == 0);
}
