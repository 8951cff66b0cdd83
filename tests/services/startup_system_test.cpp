// A database that is not there, not right, or goes away: what each service says, and how it comes back.

#include <catch2/catch.hpp>
#include <regex>

#include "tests/services/starting.hpp"
#include "tests/support/tcp_gate.hpp"

namespace {

using namespace std::chrono_literals;
using Catch::Matchers::Contains;
using domain::Status;
using support::Environment;
using support::eventually;
using support::System;
using support::TcpGate;
using support::TestDatabase;

constexpr postgres::Statement max_connections{"max_connections",
                                              "SELECT current_setting('max_connections')::int"};

// "Within a few seconds", with room for a busy machine; the longest pause between two attempts is 2 s.
constexpr auto soon = 10s;

std::string any_service() {
    return GENERATE(as<std::string>{}, "api-svc", "scheduler-svc", "worker-svc");
}

std::string gated(const System& system, const TcpGate& gate) {
    return support::through(system.database.url(), gate.port());
}

/// The server's answer to whoever connects while it starts.
std::string starting_up() {
    using namespace std::string_literals;
    const auto fields = "SFATAL\0VFATAL\0C57P03\0Mthe database system is starting up\0\0"s;
    return "E\0\0\0"s + static_cast<char>(fields.size() + 4) + fields;
}

/// Ended by itself, and left one line that says why.
void check_gave_up(Starting& service, const std::string& because) {
    CHECK(service.process().wait_for_exit() == 2);
    const auto log = service.process().log();
    CAPTURE(log);
    CHECK(service.lines("FATAL\",") == 1);
    CHECK_THAT(log, Contains(because));
}

}  // namespace

TEST_CASE("a service that does not reach its database says why, stays alive, and stops when told to") {
    const auto program = any_service();
    System system;
    const auto [url, reason] = GENERATE_REF(table<std::string, std::string>(
        {{"postgresql://ada:canary@127.0.0.1:" + std::to_string(support::free_port()) + "/tidings",
          "Connection refused"},
         {"postgresql://ada:canary@no-such-host.invalid/tidings", "could not translate host name"}}));
    CAPTURE(program, url);
    Starting service(system, program, {{"DATABASE_URL", url}});
    CHECK(service.waits_for(R"({"status":"starting","checks":[{"name":"database","ok":false)"));
    CHECK(service.waits_for(reason));
    CHECK(service.get("/livez").status == 200);
    CHECK_THAT(service.get("/metrics").body, Contains("build_info"));
    service.process().send_signal(SIGTERM);
    CHECK(service.process().wait_for_exit() == 0);
    CHECK(service.lines("FATAL") == 0);
    CHECK(service.lines("canary") == 0);
}

TEST_CASE(
    "a service that its database turns away tries again ever more slowly, in one line, and starts soon "
    "after") {
    const auto program = any_service();
    CAPTURE(program);
    System system;
    TcpGate gate("127.0.0.1", system.database.port());
    gate.refuse();
    Starting service(system, program, {{"DATABASE_URL", gated(system, gate)}});
    REQUIRE(service.waits_for("\"database\",\"ok\":false"));
    REQUIRE(eventually([&] { return gate.accepted() >= 8; }, 30s));
    CHECK(service.lines("waiting for the database") <= 3);
    gate.forward();
    CHECK(service.is_ready(soon));
    CHECK(service.lines("the database is there") == 1);
}

TEST_CASE(
    "a service whose database is slow to answer is told apart from a ready one, and starts soon after") {
    const auto program = any_service();
    CAPTURE(program);
    System system;
    TcpGate gate("127.0.0.1", system.database.port());
    gate.stall();
    Starting service(system, program,
                     {{"DATABASE_URL", gated(system, gate)}, {"DB_CONNECT_TIMEOUT", "500ms"}});
    CHECK(service.waits_for("connect: no answer from the server in time"));
    gate.cut();
    gate.forward();
    CHECK(service.is_ready(soon));
}

TEST_CASE("a service waits for a server that is still starting up") {
    const auto program = any_service();
    CAPTURE(program);
    System system;
    TcpGate gate("127.0.0.1", system.database.port());
    gate.stall();
    Starting service(system, program, {{"DATABASE_URL", gated(system, gate) + "&sslmode=disable"}});
    REQUIRE(eventually([&] {
        gate.speak_as_server(starting_up());
        return service.lines("the database system is starting up (57P03)") > 0;
    }));
    CHECK(service.process().running());
    gate.cut();
    gate.forward();
    CHECK(service.is_ready(soon));
}

TEST_CASE("a service waits for the migrator, and says so") {
    const auto program = any_service();
    CAPTURE(program);
    System system;
    TestDatabase empty(TestDatabase::Content::nothing);
    const Environment environment{{"DATABASE_URL", empty.url()}};
    Starting service(system, program, environment);
    CHECK(service.waits_for("run api-svc migrate"));
    CHECK(eventually([&] { return service.lines("waiting for the schema") == 1; }));
    REQUIRE(support::run("api-svc", {"migrate"}, environment).exit_code == 0);
    CHECK(service.is_ready(soon));
}

TEST_CASE("a service ends with 2 and one clear line where waiting changes nothing") {
    const auto program = any_service();
    System system;
    const auto over_tcp = support::through(system.database.url(), system.database.port());

    SECTION("wrong password") {
        Starting service(system, program, {{"DATABASE_URL", over_tcp + "&password=canary"}});
        check_gave_up(service, "password authentication failed");
        CHECK(service.lines("check user, password and database of DATABASE_URL") == 1);
        CHECK(service.lines("canary") == 0);
    }
    SECTION("no such database") {
        Starting service(system, program, {{"DATABASE_URL", support::with_database(over_tcp, "nowhere")}});
        check_gave_up(service, "database \\\"nowhere\\\" does not exist");
    }
    SECTION("malformed URL") {
        Starting service(system, program, {{"DATABASE_URL", "postgresql://ada:can@ry@127.0.0.1/tidings"}});
        check_gave_up(service, "DATABASE_URL is malformed");
        CHECK(service.lines("can@ry") == 0);
    }
    SECTION("a schema that is too new") {
        system.sql.execute(
            "INSERT INTO schema_migrations (version, name, checksum, min_compatible) "
            "VALUES (9999, 'later', 'x', 9999)");
        Starting service(system, program, {});
        check_gave_up(service, "deploy a newer release");
    }
    SECTION("a shifted clock in production") {
        Starting service(system, program, {{"APP_ENV", "production"}});
        check_gave_up(service, "time is shifted");
    }
}

TEST_CASE("several wrong settings are one line that names them all") {
    const auto program = any_service();
    System system;
    Starting service(system, program, {{"DB_POOL_MAX", "many"}, {"LOG_LEVEL", "loud"}});
    check_gave_up(service, "LOG_LEVEL must be one of");
    CHECK(service.lines("DB_POOL_MAX must be") == 1);
}

TEST_CASE("one line of environment brings any service back to known numbers of its pool") {
    const auto program = any_service();
    CAPTURE(program);
    System system;
    support::Environment line{{"DB_POOL_PRESET", "wide"},  {"DB_POOL_MAX", "64"},
                              {"DB_POOL_MIN", "10"},       {"DB_ACQUIRE_TIMEOUT", "30000"},
                              {"DB_IDLE_TIMEOUT", "5000"}, {"DB_STATEMENT_TIMEOUT", "7500"}};
    const auto service = system.start(program, line);
    const auto metrics = support::http_get(service.ops_port(), "/metrics").body;
    CHECK_THAT(metrics,
               Contains("db_pool_max{pool=\"main\"} 64\n") && Contains("db_pool_min{pool=\"main\"} 10\n"));

    line["APP_ENV"] = "production";
    const auto shown = support::run(program, {"--print-config"}, system.environment(line));
    CAPTURE(shown.output);
    CHECK(shown.exit_code == 0);
    for (const auto* setting :
         {"DB_POOL_MAX +64 +environment\n", "DB_POOL_MIN +10 +environment\n",
          "DB_ACQUIRE_TIMEOUT +30s +environment\n", "DB_IDLE_TIMEOUT +5s +environment\n",
          "DB_STATEMENT_TIMEOUT +7500ms +environment\n", "DB_CONNECT_TIMEOUT +3s +preset wide\n"}) {
        CAPTURE(setting);
        CHECK(std::regex_search(shown.output, std::regex(setting)));
    }
}

TEST_CASE(
    "a service warns at its start when all together may open more connections than the server accepts") {
    const auto program = any_service();
    CAPTURE(program);
    System system;
    const auto budgeted = [&](const std::string& workers) {
        return system.start(program, {{"WORKER_REPLICAS", workers}}).process().log();
    };
    // 40 + 3000 + 60, whatever the tests' server has between.
    CHECK_THAT(budgeted("300"), Contains("accepts fewer connections than all programs may open") &&
                                    Contains(R"("budget":3100)"));
    CHECK_THAT(budgeted("1"), !Contains("accepts fewer connections"));
    // Of as many as there are some are kept for superusers.
    const int all = system.sql.run(max_connections).front().get<int>(0);
    CHECK_THAT(budgeted(std::to_string((all - 40 - 60) / 10)),
               Contains("accepts fewer connections") && Contains(R"("budget":)" + std::to_string(all)));
}

TEST_CASE("a database that is restarted under a working service is used again soon") {
    const auto program = any_service();
    CAPTURE(program);
    System system;
    TcpGate gate("127.0.0.1", system.database.port());
    const auto service = system.start(program, {{"DATABASE_URL", gated(system, gate)}});
    gate.refuse();
    REQUIRE(eventually([&] { return support::http_get(service.ops_port(), "/readyz").status == 503; }));
    CHECK_THAT(support::http_get(service.ops_port(), "/readyz").body,
               Contains(R"("name":"database","ok":false)"));
    CHECK(support::http_get(service.ops_port(), "/livez").status == 200);
    gate.forward();
    CHECK(eventually([&] { return support::http_get(service.ops_port(), "/readyz").status == 200; }, soon));
}

TEST_CASE("sessions that the server ends under working services cost no message") {
    System system(System::Provider::naive);
    const auto scheduler = system.start("scheduler-svc");
    const auto worker = system.start("worker-svc");
    system.add({.count = 200});
    system.set_clock("2027-03-10T09:00:00Z");
    REQUIRE(system.delivered(10));
    system.sql.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()");
    REQUIRE(system.sent(200));
    CHECK(system.compare() == support::Comparison{.delivered = 200});
}

TEST_CASE("a service whose loop hangs is alive no more, by name, until the loop turns again") {
    const auto program = any_service();
    CAPTURE(program);
    System system;
    TcpGate gate("127.0.0.1", system.database.port());
    const auto service =
        system.start(program, {{"DATABASE_URL", gated(system, gate)}, {"STUCK_AFTER", "2s"}});
    CHECK(eventually([&] { return support::http_get(service.ops_port(), "/livez").status == 200; }));
    gate.stall();
    if (program == "worker-svc")
        system.broker.put(
            system.queue(),
            R"({"v":1,"message_id":"0190a0b0-c0d0-7e00-8f00-000000000001","delivery_date":"2027-03-10","attempt":0,"trace":"x"})");
    REQUIRE(eventually([&] { return support::http_get(service.ops_port(), "/livez").status == 503; }));
    CHECK_THAT(support::http_get(service.ops_port(), "/livez").body,
               Contains("stuck") && Contains("in one round for"));
    gate.cut();
    gate.forward();
    CHECK(eventually([&] { return support::http_get(service.ops_port(), "/livez").status == 200; }, soon));
}
