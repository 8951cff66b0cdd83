// A broker or a provider that is not there or not right: what scheduler and worker say, and how they come
// back.

#include <catch2/catch.hpp>

#include "tests/services/starting.hpp"
#include "tests/support/tcp_gate.hpp"

namespace {

using namespace std::chrono_literals;
using Catch::Matchers::Contains;
using domain::Status;
using support::eventually;
using support::System;
using support::TcpGate;

// The longest pause between two attempts is 5 s.
constexpr auto soon = 15s;

std::string either_service() {
    return GENERATE(as<std::string>{}, "scheduler-svc", "worker-svc");
}

std::string with_user(const System& system, const std::string& user) {
    const auto& url = system.broker.url();
    return "amqp://" + user + url.substr(url.rfind('@'));
}

std::string with_virtual_host(const System& system, const std::string& name) {
    const auto& url = system.broker.url();
    return url.substr(0, url.find('/', url.rfind('@')) + 1) + name;
}

}  // namespace

TEST_CASE("a service that does not come to terms with its broker says why and goes on trying") {
    const auto program = either_service();
    System system;
    const auto [url, reason] = GENERATE_REF(table<std::string, std::string>(
        {{"amqp://ada:canary@127.0.0.1:" + std::to_string(support::free_port()), "connecting to 127.0.0.1"},
         {"amqp://ada:canary@no-such-host.invalid", "connecting to no-such-host.invalid"},
         {with_user(system, "ada:canary"), "403 ACCESS_REFUSED"},
         {with_virtual_host(system, "nowhere"), "530 NOT_ALLOWED"}}));
    CAPTURE(program, reason);
    Starting service(system, program, {{"AMQP_URL", url}});
    CHECK(service.waits_for(reason));
    CHECK_THAT(service.get("/readyz").body, Contains(R"({"name":"database","ok":true)"));
    CHECK(service.get("/livez").status == 200);
    CHECK(eventually([&] { return service.lines("no connection to the broker") >= 1; }));
    service.process().send_signal(SIGTERM);
    CHECK(service.process().wait_for_exit() == 0);
    CHECK(service.lines("canary") == 0);
}

TEST_CASE("a service started before its broker works soon after it is there") {
    const auto program = either_service();
    CAPTURE(program);
    System system;
    TcpGate gate("127.0.0.1", system.broker_port());
    SECTION("absent") {
        gate.refuse();
    }
    SECTION("silent") {
        gate.stall();
    }
    Starting service(system, program, {{"AMQP_URL", system.amqp_url_through(gate.port())}});
    REQUIRE(service.waits_for(R"("name":"broker","ok":false)"));
    REQUIRE(eventually([&] { return gate.accepted() >= 1; }));
    gate.cut();
    gate.forward();
    CHECK(service.is_ready(soon));
}

TEST_CASE("a broker lost under a working service is named, and used again soon") {
    const auto program = either_service();
    CAPTURE(program);
    System system;
    TcpGate gate("127.0.0.1", system.broker_port());
    const auto service = system.start(program, {{"AMQP_URL", system.amqp_url_through(gate.port())}});
    gate.refuse();
    const auto readyz = [&] { return support::http_get(service.ops_port(), "/readyz"); };
    REQUIRE(eventually([&] { return readyz().status == 503; }));
    CHECK_THAT(readyz().body, Contains(R"("name":"broker","ok":false)"));
    CHECK(support::http_get(service.ops_port(), "/livez").status == 200);
    gate.forward();
    CHECK(eventually([&] { return readyz().status == 200; }, soon));
}

TEST_CASE("a worker is ready without its provider, keeps what it cannot send, and sends it when it can") {
    System system(System::Provider::naive);
    TcpGate gate("127.0.0.1", system.provider.port());
    const auto gated = "http://127.0.0.1:" + std::to_string(gate.port());
    const auto scheduler = system.start("scheduler-svc");
    system.add({.count = 3});
    SECTION("absent") {
        gate.refuse();
    }
    SECTION("silent") {
        gate.stall();
    }
    const auto worker = system.start("worker-svc", {{"PROVIDER_URL", gated}});
    system.set_clock("2027-03-10T09:00:00Z");
    REQUIRE(eventually([&] { return system.count(Status::retrying) == 3; }, 20s));
    for (const auto& row : system.ledger()) CHECK(row.failures == (row.in_doubt ? 1 : 0));
    CHECK(support::http_get(worker.ops_port(), "/readyz").status == 200);
    gate.cut();
    gate.forward();
    REQUIRE(system.sent(3));
    CHECK(system.compare() == support::Comparison{.delivered = 3});
}

TEST_CASE("a provider whose name cannot be looked up is an outage that the row tells of") {
    System system;
    const auto scheduler = system.start("scheduler-svc");
    system.add({});
    const auto worker = system.start("worker-svc", {{"PROVIDER_URL", "http://no-such-host.invalid"}});
    system.set_clock("2027-03-10T09:00:00Z");
    REQUIRE(eventually([&] { return system.count(Status::retrying) == 1; }, 20s));
    const auto row = system.only_row();
    CHECK_FALSE(row.in_doubt);
    CHECK(row.failures == 0);
    CHECK_THAT(row.error, Contains("host", Catch::CaseSensitive::No));
}
