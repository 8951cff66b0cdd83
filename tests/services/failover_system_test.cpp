// The primary dies and a standby takes over, under an API that was told of both; or it takes no writes any
// more.

#include <catch2/catch.hpp>

#include "libcore/postgres/url.hpp"
#include "tests/services/api_under_test.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/servers/postgres_server.hpp"
#include "tests/support/system/system.hpp"

using namespace tests;
using namespace std::chrono_literals;
using support::PostgresServer;

namespace {

struct Pair {
    bool replica_is_in() {
        return support::metric(api.service(), "db_replica_in{replica=\"" + host_of_standby() + ":5432\"}") ==
               1;
    }
    std::string host_of_standby() const { return postgres::options_of_url(standby.url()).at("host"); }
    std::string standbys_url() const {
        return support::with_database(standby.url(), postgres::options_of_url(database.url()).at("dbname"));
    }

    PostgresServer primary;
    PostgresServer standby{{.primary = primary}};
    TestDatabase database{PostgresServer::url_of_either(primary, standby)};
    Api api{database.url(), {{"READ_REPLICA_URL", standbys_url()}}};
};

}  // namespace

TEST_CASE("reads go on while there is no primary, and writes soon after a standby took over") {
    Pair servers;
    const auto location = servers.api.add_user();
    REQUIRE(support::eventually([&] { return servers.replica_is_in(); }));
    servers.primary.kill();
    // Its keys are known for five seconds. A look at the standby that comes too late costs a read.
    for (const auto until = std::chrono::steady_clock::now() + 2s; std::chrono::steady_clock::now() < until;)
        REQUIRE(support::eventually([&] { return servers.api.call("GET", location).status == 200; }, 2s));
    CHECK(servers.api.call("PATCH", location, R"({"firstName": "Augusta"})").status == 503);

    servers.standby.promote();
    const auto promoted = std::chrono::steady_clock::now();
    REQUIRE(support::eventually(
        [&] { return servers.api.call("PATCH", location, R"({"firstName": "Augusta"})").status == 200; }));
    const auto took =
        std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - promoted);
    CHECK(took < 5s);  // of a machine with other work to do; some hundred milliseconds of an idle one
    CHECK(text_at(servers.api.call("GET", location), "firstName") == "Augusta");
    CHECK(support::eventually([&] { return !servers.replica_is_in(); }));
    CHECK(text_at(servers.api.call("GET", location), "firstName") == "Augusta");
}

TEST_CASE(
    "a write that its session takes no more is done over another, and without any is to be tried again") {
    const TestDatabase database;
    // It has no other session than the one that is seen below.
    Api api(database.url(), {{"DB_POOL_MAX", "1"}, {"DB_POOL_MIN", "1"}});
    const auto location = api.add_user();
    auto sql = database.connection();
    sql.execute(
        "CREATE TABLE replaced AS SELECT pid FROM pg_stat_activity WHERE datname = current_database();"
        "GRANT SELECT ON replaced TO PUBLIC;"
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN IF EXISTS (SELECT FROM replaced WHERE coalesce(pid, pg_backend_pid()) = pg_backend_pid()) "
        "THEN RAISE read_only_sql_transaction; END IF; RETURN NEW; END $$;"
        "CREATE TRIGGER refuse BEFORE INSERT OR UPDATE ON users FOR EACH ROW EXECUTE FUNCTION refuse()");
    CHECK(api.call("PATCH", location, R"({"firstName": "Augusta"})").status == 200);
    CHECK(support::metric(api.service(), R"(database_errors_total{operation="write",type="read_only"})") ==
          1);

    sql.execute("INSERT INTO replaced VALUES (NULL)");
    for (const auto& reply : {api.call("PATCH", location, R"({"firstName": "Ada"})"),
                              api.call("POST", users, user_with({{"email", R"("grace@example.com")"}}))}) {
        CHECK(reply.status == 503);
        CHECK(text_at(reply, "code") == "unavailable");
        CHECK(reply.header("retry-after") == "1");
    }
    CHECK(text_at(api.call("GET", location), "firstName") == "Augusta");

    sql.execute("DELETE FROM replaced");
    CHECK(api.call("PATCH", location, R"({"firstName": "Ada"})").status == 200);
}
