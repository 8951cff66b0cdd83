// api-svc as operators meet it: away from its database, measured, stopped, migrated.

#include <catch2/catch.hpp>

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
          "db_pool_size{state=\"total\"}", "db_pool_size{state=\"waiting\"} 0",
          "database_query_duration_seconds_count{outcome=\"done\",statement=\"user_insert\"} 1"}) {
        CAPTURE(line, metrics);
        CHECK(metrics.find(line) != std::string::npos);
    }
    const auto log = api.service().process().log();
    CHECK(log.find("Lovelace") == std::string::npos);
    CHECK(log.find("ada@example.com") == std::string::npos);
    CHECK(log.find(api.key()) == std::string::npos);
}

TEST_CASE("on SIGTERM it stops with 0") {
    TestDatabase database;
    Api api(database.url());
    api.add_user();
    CHECK(api.service().stop() == 0);
    CHECK(api.service().process().log().find("stopped") != std::string::npos);
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
