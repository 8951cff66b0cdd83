// The two dispatching passes of one scheduler.

#include <catch2/catch.hpp>
#include <sstream>

#include "tests/support/http_client.hpp"
#include "tests/support/system/system.hpp"
#include "tests/support/tcp_gate.hpp"

namespace {

using namespace std::chrono_literals;
using support::eventually;
using support::System;

constexpr std::uint32_t high_water = 1'000;
const std::string nine = "2027-03-10T09:00:00Z";

/// Of all lines of the scheduler's /metrics that begin so.
double sum(const support::Service& scheduler, const std::string& begin) {
    std::istringstream lines(support::http_get(scheduler.ops_port(), "/metrics").body);
    double sum = 0;
    for (std::string line; std::getline(lines, line);)
        if (line.starts_with(begin)) sum += std::stod(line.substr(line.rfind(' ')));
    return sum;
}

}  // namespace

TEST_CASE("the queue is filled to its mark and never above it") {
    System system;
    system.add({.count = 4'000});
    const auto scheduler = system.start("scheduler-svc", {{"QUEUE_HIGH_WATER", std::to_string(high_water)}});
    system.set_clock(nine);
    std::uint32_t deepest = 0;
    const auto look = [&] {
        return deepest = std::max(deepest, system.broker.ready(system.queue()).value_or(0));
    };
    REQUIRE(eventually([&] { return look() >= high_water; }));
    const auto end = std::chrono::steady_clock::now() + 1s;
    while (std::chrono::steady_clock::now() < end) look();
    CHECK(deepest == high_water);
    CHECK(system.count(domain::Status::queued) == high_water);
}

TEST_CASE("a broker that goes in the middle of a backlog is waited for by one pass, without a row locked") {
    System system;
    support::TcpGate gate("127.0.0.1", system.broker_port());
    system.add({.count = 20'000});
    const auto scheduler = system.start("scheduler-svc", {{"AMQP_URL", system.amqp_url_through(gate.port())},
                                                          {"QUEUE_HIGH_WATER", "100000"},
                                                          {"QUEUE_LOST_AFTER", "15m"}});
    const auto dispatched = [&] { return sum(scheduler, "messages_dispatched_total"); };
    system.set_clock(nine);
    REQUIRE(eventually([&] { return dispatched() > 0 && gate.open() == 2; }));
    gate.refuse();
    const auto failed = [&](const std::string& loop) {
        return sum(scheduler, "loop_rounds_total{loop=\"" + loop + "\",result=\"failed\"}");
    };
    // Then what was under way has failed.
    REQUIRE(eventually([&] { return failed("dispatcher") >= 3; }));
    const double by_second = failed("second_dispatcher");
    const auto taken = [&] {
        return sum(scheduler,
                   "database_query_duration_seconds_count{query_type=\"write\",statement=\"take_due\"}");
    };
    const double before = taken();
    REQUIRE(before > 0);
    REQUIRE(dispatched() < 20'000);
    const double rounds = failed("dispatcher");
    REQUIRE(eventually([&] { return failed("dispatcher") >= rounds + 3; }, 30s));
    CHECK(taken() == before);
    CHECK(failed("second_dispatcher") == by_second);

    gate.forward();
    CHECK(eventually([&] { return dispatched() == 20'000; }, 30s));
    CHECK(gate.open() == 2);
}
