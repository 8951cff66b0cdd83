// What an operator sees of a service's database, and changes, on the operations port of the real programs.

#include <algorithm>
#include <catch2/catch.hpp>
#include <fstream>
#include <iterator>
#include <regex>
#include <set>
#include <thread>

#include "libcore/json/parser.hpp"
#include "libcore/postgres/transaction.hpp"
#include "tests/services/api_under_test.hpp"
#include "tests/services/drill.hpp"
#include "tests/support/eventually.hpp"

namespace {

using namespace std::chrono_literals;
using Catch::Matchers::Contains;
using drill::metric;
using drill::System;
using support::eventually;
using support::Service;
using tests::Api;
using tests::TestDatabase;

constexpr postgres::Statement sessions_of_api{
    "sessions_of_api",
    "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'api-svc' "
    "ORDER BY pid"};

support::HttpReply look(const Service& service, const std::string& path) {
    return support::http_get(service.ops_port(), path);
}

support::HttpReply order(const Service& service, const std::string& path, const std::string& body,
                         support::HttpHeaders headers = {}) {
    headers.emplace_back("Content-Type", "application/json");
    return support::HttpClient(service.ops_port()).request("POST", path, body, headers);
}

json::Value parsed(const support::HttpReply& reply) {
    auto body = json::parse(reply.body, {.bytes = 1'000'000, .values = 100'000});
    CAPTURE(reply.body);
    REQUIRE(body);
    return std::move(body).value();
}

/// Follows member names, and numbers into arrays.
const json::Value& at(const json::Value& value, std::initializer_list<std::string> path) {
    const json::Value* it = &value;
    for (const auto& step : path) {
        CAPTURE(step);
        it = it->array() != nullptr ? &it->array()->at(std::stoul(step)) : it->find(step);
        REQUIRE(it != nullptr);
    }
    return *it;
}

std::string health_of(const Service& service) {
    return *at(parsed(look(service, "/health/database")), {"status"}).string();
}

std::string contents(const std::string& path) {
    std::ifstream file(std::string(TIDINGS_SOURCE) + path);
    REQUIRE(file);
    return {std::istreambuf_iterator<char>(file), {}};
}

std::set<std::string> found(const std::string& text, const std::regex& pattern) {
    std::set<std::string> names;
    for (auto it = std::sregex_iterator(text.begin(), text.end(), pattern); it != std::sregex_iterator();
         ++it)
        names.insert((*it)[1]);
    return names;
}

const std::regex exported_names{"# TYPE ((?:db|database)_[a-z0-9_]+) "};
const std::regex documented_names{"`((?:db|database)_[a-z0-9_]+)[`{]"};

/// An API whose readers of users are stuck, as many as its pool serves at once.
struct BusyApi {
    static constexpr int served_at_once = 3;  // of four, one is kept for others

    BusyApi() : location(api.add_user()) {
        lock.execute("LOCK TABLE users IN ACCESS EXCLUSIVE MODE");
        ask(served_at_once);
        REQUIRE(eventually([&] { return metric(api.service(), active) >= served_at_once; }));
    }
    ~BusyApi() { end(); }

    void ask(int callers) {
        for (int i = 0; i < callers; ++i)
            threads.emplace_back([this] {
                support::HttpClient(api.service().port())
                    .request("GET", location, {}, {{"Authorization", "Bearer " + api.key()}});
            });
    }
    void end() {
        if (!std::exchange(ended, true)) lock.commit();
        for (auto& thread : threads)
            if (thread.joinable()) thread.join();
    }

    static constexpr const char* active = R"(db_pool_size{pool="main",state="active"})";

    TestDatabase database;
    Api api{database.url(),
            {{"DB_POOL_MAX", "4"},
             {"DB_ACQUIRE_TIMEOUT", "500ms"},
             {"DB_STATEMENT_TIMEOUT", "60s"},
             {"DB_LEAK_AFTER", "200ms"}}};
    std::string location;
    postgres::Connection connection = database.connection();
    postgres::Transaction lock{connection};
    std::vector<std::thread> threads;
    bool ended = false;
};

}  // namespace

TEST_CASE("every metric of the database is documented and exported by each service, also what rules use") {
    const System system;
    const TestDatabase database;
    Api api(database.url(), {{"READ_REPLICA_URL", database.url()}});
    const auto scheduler = system.start("scheduler-svc");
    const auto worker = system.start("worker-svc");
    auto documented = found(contents("/docs/operations.md"), documented_names);
    documented.erase("database_url");  // a secret's file
    CHECK(documented.size() > 24);
    CHECK(documented.contains("db_replica_lag_seconds"));
    auto of_all = documented;  // only the API reads from replicas
    std::erase_if(of_all, [](const auto& it) { return it.starts_with("db_re"); });
    const auto used = found(std::regex_replace(contents("/deploy/prometheus/database_aliases.yml"),
                                               std::regex("record:.*|_bucket"), ""),
                            std::regex("\\b((?:db|database)_[a-z0-9_]+)"));
    CHECK_FALSE(used.empty());
    for (const auto* service : {&std::as_const(api.service()), &scheduler, &worker}) {
        const auto exported = found(look(*service, "/metrics").body, exported_names);
        CHECK(exported == (service == &std::as_const(api.service()) ? documented : of_all));
        for (const auto& name : used) {
            CAPTURE(name);
            CHECK(exported.contains(name));
        }
    }
    const auto text = look(scheduler, "/metrics").body;
    CHECK_THAT(
        text, Contains(R"(db_pool_max{pool="main"} 4)") && Contains(R"(db_pool_max{pool="housekeeping"} 2)"));
    for (const char* name : {"database_connection_pool_active", "database_connection_pool_idle",
                             "database_pool_connections_active", "db_pool_utilization_ratio"})
        CHECK_THAT(text, Contains(std::string(name) + R"({pool="main"})"));
}

TEST_CASE("a service at rest is healthy, and tells what its pool and its statements did") {
    const TestDatabase database;
    Api api(database.url());
    auto& service = api.service();
    api.add_user();
    REQUIRE(eventually([&] { return health_of(service) == "ok"; }));
    const auto reply = look(service, "/health/database?strict=1");
    CHECK(reply.status == 200);
    const auto health = parsed(reply);
    CHECK(at(health, {"score"}).integer() == 100);
    CHECK(at(health, {"pools", "0", "name"}).string()->compare("main") == 0);
    CHECK(*at(health, {"pools", "0", "max"}).integer() == 20);
    CHECK(*at(health, {"check", "ok"}).boolean());
    CHECK(at(health, {"replicas"}).array()->empty());

    const auto all = parsed(look(service, "/performance"));
    CHECK(*at(all, {"health", "status"}).string() == "ok");
    CHECK(*at(all, {"pool", "pools", "0", "sinceStart", "created"}).integer() >= 1);
    CHECK(at(all, {"pool", "alerts"}).array()->empty());
    CHECK_FALSE(at(all, {"connections", "pools", "0", "connections"}).array()->empty());
    CHECK(*at(all, {"connections", "pools", "0", "history", "0", "event"}).string() == "opened");
    CHECK(at(parsed(look(service, "/performance/queries?top=2")), {"slowest"}).array()->size() == 2);
}

TEST_CASE("a busy pool is told with who waits, who holds what, and what is slow, and never with a value") {
    BusyApi busy;
    auto& service = busy.api.service();
    const auto exhausted = [&] { return metric(service, R"(db_pool_exhausted_total{pool="main"})"); };
    REQUIRE(eventually([&] {
        busy.ask(4);
        std::this_thread::sleep_for(600ms);
        return exhausted() >= 10;
    }));
    const auto began = std::chrono::steady_clock::now();
    REQUIRE(eventually([&] { return health_of(service) == "degraded"; }));
    CHECK(std::chrono::steady_clock::now() - began < 8s);
    CHECK(look(service, "/health/database").status == 200);
    const auto strict = look(service, "/health/database?strict=1");
    CHECK(strict.status == 503);
    CHECK_THAT(strict.body, Contains("got no connection in the last minute"));
    CHECK(metric(service, "database_health_score") < 100);
    CHECK(metric(service, R"(database_errors_total{operation="acquire",type="exhausted"})") >= 10);

    // Who holds the connections, by the place that borrowed them.
    REQUIRE(eventually([&] { return metric(service, R"(db_pool_leaks_total{pool="main"})") >= 3; }));
    const auto connections = look(service, "/performance/connections").body;
    CHECK(std::regex_search(
        connections,
        std::regex(
            R"re("state":"active"[^}]*"from":"libcore/postgres/users_table.cpp:\d+","overdue":true)re")));
    CHECK_THAT(service.process().log(), Contains("a database connection is lent for too long") &&
                                            Contains("libcore/postgres/users_table.cpp:"));
    CHECK_THAT(look(service, "/performance/pool").body,
               Contains(R"("alert":"exhausted","pool":"main","severity":"critical")") &&
                   Contains(R"("alert":"leaks","pool":"main","severity":"warning")"));

    // They have taken longer than a second by now.
    busy.end();
    REQUIRE(eventually([&] {
        return metric(service, R"(database_slow_queries_total{level="slow"})") +
                   metric(service, R"(database_slow_queries_total{level="critical"})") >=
               BusyApi::served_at_once;
    }));
    const auto reply = look(service, "/performance/queries");
    const auto queries = parsed(reply);
    CHECK(*at(queries, {"slowest", "0", "parameters"}).string() == "uuid");
    CHECK(*at(queries, {"slowest", "0", "queryType"}).string() == "read");
    CHECK(at(queries, {"slowest", "0", "from"}).string()->starts_with("libcore/postgres/users_table.cpp:"));
    CHECK(*at(queries, {"listed", "0", "outcome"}).string() == "done");
    const auto id = busy.location.substr(busy.location.rfind('/') + 1);
    for (const auto& text : {reply.body, connections, service.process().log()})
        CHECK_THAT(text, !Contains(id));
    CHECK_THAT(service.process().log(), Contains("slow statement"));
}

TEST_CASE("a pool is resized and its connections are renewed while the service works") {
    TestDatabase database;
    Api api(database.url(), {{"DB_POOL_MAX", "10"}, {"DB_POOL_MIN", "4"}});
    auto connection = database.connection();
    const auto sessions = [&] {
        std::set<int> pids;
        for (const auto row : connection.run(sessions_of_api)) pids.insert(row.get<int>(0));
        return pids;
    };
    REQUIRE(eventually([&] { return sessions().size() >= 4; }));
    const auto before = sessions();
    CHECK(order(api.service(), "/pool/reconnect", "{}").status == 200);
    CHECK(eventually([&] {
        const auto now = sessions();
        return now.size() >= 4 && std::ranges::none_of(before, [&](int pid) { return now.contains(pid); });
    }));
    CHECK(order(api.service(), "/pool/resize", R"({"max": 2, "min": 1})").status == 200);
    CHECK(eventually([&] { return sessions().size() <= 2; }));
    CHECK(metric(api.service(), R"(db_pool_max{pool="main"})") == 2);
    CHECK(order(api.service(), "/pool/resize", R"({"max": 9, "min": 8})").status == 200);
    CHECK(eventually([&] { return sessions().size() >= 8; }));
    api.add_user();
    CHECK(metric(api.service(), R"(db_pool_connections_closed_total{pool="main",reason="renewed"})") >= 4);
    CHECK(metric(api.service(), R"(db_pool_connections_closed_total{pool="main",reason="resized"})") >= 1);
    CHECK_THAT(api.service().process().log(), Contains("an operator has resized a database pool"));
    CHECK(order(api.service(), "/pool/resize", R"({"max": 501})").status == 400);
    CHECK(order(api.service(), "/pool/resize", R"({"min": 10})").status == 400);
}

TEST_CASE("while its pool is paused a service is down, and requests wait for the end of it") {
    const TestDatabase database;
    Api api(database.url(), {{"DB_ACQUIRE_TIMEOUT", "20s"}});
    auto& service = api.service();
    const auto location = api.add_user();
    REQUIRE(eventually([&] { return health_of(service) == "ok"; }));
    REQUIRE(order(service, "/pool/pause", R"({"for": "1h"})").status == 200);
    // At once: whose key was read more than five seconds ago is refused.
    int status = 0;
    std::jthread waiting([&] { status = api.call("GET", location).status; });
    CHECK(eventually([&] { return metric(service, "http_requests_in_flight") == 1; }));
    CHECK(eventually([&] { return health_of(service) == "down"; }));
    CHECK(look(service, "/health/database").status == 503);
    CHECK_THAT(look(service, "/health/database").body, Contains("an operator lets nobody have a connection"));
    CHECK(metric(service, R"(db_pool_paused{pool="main"})") == 1);
    CHECK(metric(service, R"(db_pool_size{pool="main",state="waiting"})") >= 1);
    CHECK(metric(service, "http_requests_in_flight") == 1);
    CHECK(order(service, "/pool/resume", "").status == 200);
    waiting.join();
    CHECK(status == 200);
    CHECK(eventually([&] { return health_of(service) == "ok"; }));
    CHECK(eventually([&] { return api.call("GET", location).status == 200; }));

    // It ends by itself.
    REQUIRE(order(service, "/pool/pause", R"({"for": "1s"})").status == 200);
    CHECK(api.call("GET", location).status == 200);
    CHECK(metric(service, R"(db_pool_paused{pool="main"})") == 0);

    // It is no obstacle to an end.
    REQUIRE(order(service, "/pool/pause", R"({"for": "1h"})").status == 200);
    CHECK(service.stop() == 0);
}

TEST_CASE("while the database is away a service tells at once that it is down, and when it is well again") {
    const TestDatabase database;
    support::TcpGate gate("127.0.0.1", database.port());
    Api api(support::through(database.url(), gate.port()));
    auto& service = api.service();
    REQUIRE(eventually([&] { return health_of(service) == "ok"; }));
    gate.stall();
    CHECK(eventually([&] {
        const auto asked = std::chrono::steady_clock::now();
        const bool down = health_of(service) == "down";
        // Nobody who looks waits for the server.
        CHECK(std::chrono::steady_clock::now() - asked < 5s);
        return down;
    }));
    gate.refuse();
    CHECK(eventually([&] { return metric(service, R"(db_pool_circuit_state{pool="main"})") == 2; }, 30s));
    CHECK(eventually([&] {
        const auto reply = look(service, "/health/database");
        return reply.status == 503 && reply.body.find(R"("alert":"circuit")") != std::string::npos;
    }));
    CHECK(metric(service, R"(database_errors_total{operation="connect",type="connection"})") > 0);
    gate.forward();
    CHECK(eventually([&] { return metric(service, R"(db_pool_circuit_state{pool="main"})") == 0; }));
    CHECK(eventually([&] { return health_of(service) != "down"; }));
}

TEST_CASE("a paused worker that is stopped records what it has sent") {
    System system(System::Provider::naive);
    system.provider.play(R"({"rules": [{"delay_ms": 600}]})");
    system.add({});
    const auto scheduler = system.start("scheduler-svc");
    auto worker = system.start("worker-svc");
    system.set_clock(drill::nine, 0);
    REQUIRE(eventually([&] { return metric(worker, "deliveries_in_flight") == 1; }, 30s));
    REQUIRE(order(worker, "/pool/pause", R"({"for": "1h"})").status == 200);
    CHECK(worker.stop() == 0);
    CHECK(system.only_row().status == domain::Status::sent);
    CHECK(system.requests().size() == 1);
}

TEST_CASE(
    "whoever reaches the port may look at the pools, and who may change them is who may change anything") {
    const System system;
    const std::string token = "a-token-of-enough-length";
    const auto scheduler = system.start("scheduler-svc", {{"ADMIN_TOKEN", token}});
    const support::HttpHeaders shown{{"Authorization", "Bearer " + token}};
    for (const std::string path : {"/pool/pause", "/pool/resume", "/pool/reconnect", "/pool/resize"}) {
        CAPTURE(path);
        CHECK(look(scheduler, path).status == 200);
        CHECK(order(scheduler, path, R"({"for": "1h"})").status == 401);
        CHECK(order(scheduler, path, R"({"pool": "cellar"})", shown).status == 400);
    }
    CHECK(metric(scheduler, R"(db_pool_paused{pool="main"})") == 0);
    CHECK(order(scheduler, "/pool/pause", R"({"for": "1h", "pool": "housekeeping"})", shown).status == 200);
    CHECK(metric(scheduler, R"(db_pool_paused{pool="housekeeping"})") == 1);
    CHECK(metric(scheduler, R"(db_pool_paused{pool="main"})") == 0);
    CHECK(metric(scheduler, R"(ops_changes_total{result="refused"})") == 8);
    CHECK(eventually(
        [&] { return look(scheduler, "/health/database").body.find("\"score\":90") != std::string::npos; }));
    CHECK_THAT(scheduler.process().log(), !Contains(token));

    const auto worker = system.start("worker-svc");
    CHECK(order(worker, "/pool/pause", R"({"for": "1h"})", {{"Origin", "https://example.org"}}).status ==
          403);
    CHECK(order(worker, "/pool/pause", R"({"for": "1h"})").status == 200);
    CHECK(support::HttpClient(worker.ops_port()).request("POST", "/pool/resume", "{}").status == 415);
}
