// api-svc as operators meet it: away from its database, measured, stopped, migrated.

#include <atomic>
#include <catch2/catch.hpp>
#include <chrono>
#include <thread>

#include "libcore/postgres/transaction.hpp"
#include "tests/services/api_under_test.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/tcp_gate.hpp"

using namespace tests;

TEST_CASE("without its database it answers 503 and recovers by itself") {
    TestDatabase database;
    support::TcpGate gate("127.0.0.1", database.port());
    Api api(support::through(database.url(), gate.port()));
    const auto location = api.add_user();
    gate.refuse();
    const auto away = api.call("GET", location);
    CHECK(away.status == 503);
    CHECK(away.header("retry-after") == "1");
    CHECK(text_at(away, "code") == "unavailable");
    CHECK(away.body.find("127.0.0.1") == std::string::npos);
    CHECK(api.call("POST", users, user_with({{"email", "\"b@example.com\""}})).status == 503);
    CHECK(support::eventually(
        [&] { return support::http_get(api.service().ops_port(), "/readyz").status == 503; }));
    gate.forward();
    CHECK(support::eventually([&] { return api.call("GET", location).status == 200; }));
    CHECK(support::eventually(
        [&] { return support::http_get(api.service().ops_port(), "/readyz").status == 200; }));
}

TEST_CASE("while all connections are in use it says when to come again, and goes on when they are not") {
    TestDatabase database;
    Api api(database.url(), {{"DB_POOL_MAX", "4"},
                             {"DB_ACQUIRE_TIMEOUT", "1200ms"},
                             {"DB_STATEMENT_TIMEOUT", "60s"},
                             {"API_REQUEST_TIMEOUT", "60s"}});
    const auto location = api.add_user();
    const auto in_use = [&] {
        return support::http_get(api.service().ops_port(), "/metrics")
                   .body.find("db_pool_size{pool=\"main\",state=\"active\"} 3\n") != std::string::npos;
    };
    std::atomic<int> served = 0;
    std::vector<std::thread> stuck;
    {
        auto connection = database.connection();
        postgres::Transaction lock(connection);
        lock.execute("LOCK TABLE users IN ACCESS EXCLUSIVE MODE");
        for (int i = 0; i < 3; ++i) {
            stuck.emplace_back([&] {
                support::HttpClient client(api.service().port());
                const auto reply =
                    client.request("GET", location, {}, {{"Authorization", "Bearer " + api.key()}});
                served += int(reply.status == 200);
            });
        }
        REQUIRE(support::eventually(in_use));
        // Longer than keys may be old: they are read over what is kept for that.
        for (const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(8);
             std::chrono::steady_clock::now() < end;) {
            const auto refused = api.call("GET", location);
            CHECK(refused.status == 503);
            CHECK(refused.header("retry-after") == "3");
        }
        CHECK(support::http_get(api.service().ops_port(), "/readyz").status == 200);
    }
    for (auto& thread : stuck) thread.join();
    CHECK(served == 3);
    CHECK(api.call("GET", location).status == 200);
}

TEST_CASE("a request whose time is up ends, and leaves nothing behind at the database") {
    TestDatabase database;
    Api api(database.url(),
            {{"DB_POOL_MAX", "3"}, {"DB_STATEMENT_TIMEOUT", "60s"}, {"API_REQUEST_TIMEOUT", "500ms"}});
    const auto location = api.add_user();
    constexpr postgres::Statement at_work{"at_work", R"(
        SELECT count(*) FROM pg_stat_activity
        WHERE datname = current_database() AND application_name LIKE 'api-svc%' AND wait_event_type = 'Lock')"};
    auto connection = database.connection();
    auto other = database.connection();
    {
        postgres::Transaction lock(connection);
        lock.execute("LOCK TABLE users IN ACCESS EXCLUSIVE MODE");
        // More often than there are connections: each is given back.
        for (const auto* method : {"GET", "PATCH", "GET", "PATCH"}) {
            const auto started = std::chrono::steady_clock::now();
            const auto late = api.call(method, location, method[0] == 'G' ? "" : R"({"firstName":"Grace"})");
            const auto took = std::chrono::steady_clock::now() - started;
            CAPTURE(method, late.body, took / std::chrono::milliseconds(1));
            CHECK(late.status == 503);
            CHECK(late.header("retry-after") == "1");
            CHECK(took >= std::chrono::milliseconds(500));
            CHECK(took < std::chrono::seconds(5));
        }
        CHECK(support::eventually([&] { return other.run(at_work).front().get<int>(0) == 0; }));
    }
    const auto found = api.call("GET", location);
    CHECK(found.status == 200);
    CHECK(text_at(found, "firstName") == "Ada");
}

TEST_CASE("what it does can be read from its metrics and its log holds no personal data") {
    TestDatabase database;
    Api api(database.url(), {{"LOG_LEVEL", "debug"}});
    const auto location = api.add_user();
    api.call("GET", location);
    api.call("GET", "/nowhere");
    const auto metrics = support::http_get(api.service().ops_port(), "/metrics").body;
    for (const auto* line :
         {"http_requests_total{method=\"POST\",route=\"/api/v1/users\",status=\"201\"} 1",
          "http_requests_total{method=\"GET\",route=\"/api/v1/users/{id}\",status=\"200\"} 1",
          "http_requests_total{method=\"any\",route=\"none\",status=\"404\"} 1",
          "http_request_duration_seconds_count{route=\"/api/v1/users\"} 1", "http_requests_in_flight 0",
          "db_pool_size{pool=\"main\",state=\"total\"}", "db_pool_size{pool=\"main\",state=\"waiting\"} 0",
          "database_query_duration_seconds_count{query_type=\"write\",statement=\"user_insert\"} 1"}) {
        CAPTURE(line, metrics);
        CHECK(metrics.find(line) != std::string::npos);
    }
    const auto log = api.service().process().log();
    CHECK(log.find("Lovelace") == std::string::npos);
    CHECK(log.find("ada@example.com") == std::string::npos);
    CHECK(log.find(api.key()) == std::string::npos);
}

TEST_CASE("a change whose COMMIT is not answered is in doubt, and nobody is asked to repeat it") {
    const TestDatabase database;
    auto sql = database.connection();
    const auto at_commit = [&](const std::string& action) {
        sql.execute("CREATE OR REPLACE FUNCTION act() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM " +
                    action + "; RETURN NULL; END $$");
    };
    at_commit("1");
    sql.execute(
        "CREATE CONSTRAINT TRIGGER act AFTER INSERT OR UPDATE ON users DEFERRABLE INITIALLY DEFERRED "
        "FOR EACH ROW EXECUTE FUNCTION act()");
    Api api(database.url(), {{"API_REQUEST_TIMEOUT", "3s"}, {"DB_ACQUIRE_TIMEOUT", "1s"}});
    const auto location = api.add_user();
    const auto check_in_doubt = [](const HttpReply& reply) {
        CHECK(reply.status == 503);
        CHECK(text_at(reply, "code") == "in_doubt");
        CHECK(reply.header("retry-after").empty());
    };

    at_commit("pg_terminate_backend(pg_backend_pid()), pg_sleep(10)");
    check_in_doubt(api.call("PATCH", location, R"({"firstName": "Augusta"})"));
    check_in_doubt(api.call("POST", users, user_with({{"email", R"("grace@example.com")"}})));
    CHECK(text_at(api.call("GET", location), "firstName") == "Ada");

    at_commit("pg_sleep(4)");
    check_in_doubt(api.call("PATCH", location, R"({"firstName": "Augusta"})"));
    CHECK(support::eventually([&] { return text_at(api.call("GET", location), "firstName") == "Augusta"; }));
    CHECK(api.service().process().log().find("a change is in doubt") != std::string::npos);
}

TEST_CASE("on SIGTERM it stops with 0") {
    TestDatabase database;
    Api api(database.url());
    api.add_user();
    CHECK(api.service().stop() == 0);
    CHECK(api.service().process().log().find("stopped") != std::string::npos);
}

TEST_CASE("migrations go the way that DATABASE_URL_UNPOOLED names, and need no other") {
    const TestDatabase database(TestDatabase::Content::nothing);
    const auto nowhere = "postgresql://127.0.0.1:" + std::to_string(support::free_port()) + "/tidings";
    const auto migrate = [&](const std::string& pooled, const std::string& unpooled) {
        return support::run("api-svc", {"migrate"},
                            {{"DATABASE_URL", pooled}, {"DATABASE_URL_UNPOOLED", unpooled}});
    };
    CHECK(migrate(database.url(), nowhere).exit_code != 0);
    const auto migrated = migrate(nowhere, database.url());
    CAPTURE(migrated.output);
    CHECK(migrated.exit_code == 0);
    CHECK(migrated.output.find("applied") != std::string::npos);
}

TEST_CASE("the shipped command migrates an empty database and a second run changes nothing") {
    TestDatabase database(TestDatabase::Content::nothing);
    const support::Environment environment{{"DATABASE_URL", database.url()}};
    CHECK(support::run("api-svc", {"migrate", "--status"}, environment).output.find("pending") !=
          std::string::npos);
    const auto first = support::run("api-svc", {"migrate"}, environment);
    CAPTURE(first.output);
    CHECK(first.exit_code == 0);
    CHECK(first.output.find("applied") != std::string::npos);
    const auto second = support::run("api-svc", {"migrate"}, environment);
    CHECK(second.exit_code == 0);
    CHECK(second.output.find("applied") == std::string::npos);
    CHECK(support::run("api-svc", {"migrate", "--status"}, environment).output.find("pending") ==
          std::string::npos);

    Api api(database.url());
    api.add_user();
}
