// The provider's rate and its 429s, with real workers and a real Redis.

#include <catch2/catch.hpp>
#include <cmath>
#include <deque>
#include <map>

#include "tests/services/drill.hpp"
#include "tests/support/redis_fixture.hpp"

namespace {

using namespace drill;
using support::Service;

// For providers that count every request: nothing is lost by a slow machine that must not be sent again.
Environment patient(Environment more) {
    more.merge(
        Environment{{"PROVIDER_TIMEOUT", "10s"}, {"DELIVERY_LEASE", "30s"}, {"QUEUE_CONCURRENCY", "5"}});
    return more;
}

std::size_t most_in_a_second(const std::vector<sink::Entry>& requests) {
    std::size_t most = 0;
    for (std::size_t first = 0, last = 0; last < requests.size(); ++last) {
        while (requests[last].received_at - requests[first].received_at >= 1s) ++first;
        most = std::max(most, last - first + 1);
    }
    return most;
}

}  // namespace

TEST_CASE("three workers keep one rate through Redis, and a share of it each when Redis goes") {
    constexpr int people = 500;
    System system(System::Provider::naive);
    const support::RedisFixture redis;
    TcpGate gate(redis.url().host, redis.url().port);
    system.add({.count = people});
    const auto scheduler = system.start("scheduler-svc", patient({}));
    std::deque<Service> workers;
    const auto environment =
        patient({{"PROVIDER_RATE_LIMIT", "60/s"}, {"REDIS_URL", redis.text_through(gate.port())}});
    for (int i = 0; i < 3; ++i) workers.emplace_back("worker-svc", system.environment(environment));
    const auto all = [&](const std::string& name, double value) {
        return eventually([&] {
            return std::ranges::all_of(
                workers, [&](const auto& one) { return std::abs(metric(one, name) - value) < 0.01; });
        });
    };
    REQUIRE(all("provider_rate_shared", 1));
    REQUIRE(all("provider_rate_share", 20));
    system.set_clock(nine);
    REQUIRE(system.delivered(people / 2));
    gate.refuse();
    REQUIRE(all("provider_rate_shared", 0));
    REQUIRE(system.sent(people));
    CHECK(system.compare() == Comparison{.delivered = people});
    // The rate; what a worker may be late with; and the seconds in which some had Redis and some had not.
    CHECK(most_in_a_second(system.requests()) <= 60 + 6 + 20);
    gate.forward();
    CHECK(all("provider_rate_shared", 1));
    for (const auto& worker : workers) {
        CHECK(metric(worker, R"(deliveries_total{outcome="SENT"})") > 0);
        CHECK(metric(worker, R"(deliveries_throttled_seconds_total{by="rate"})") > 0);
        CHECK(support::http_get(worker.ops_port(), "/readyz").body.find("provider_rate") !=
              std::string::npos);
    }
}

TEST_CASE("a storm of 429s with three workers loses nothing and spends one failure for each") {
    constexpr int people = 300;
    constexpr int refusals = 24;
    System system(System::Provider::naive);
    // Answered when others are under way, however slowly they are claimed at first.
    system.provider.play(
        R"({"rules": [{"times": 24, "delay_ms": 300, "status": 429, "headers": {"Retry-After": "1"}}]})");
    system.add({.count = people});
    const auto scheduler = system.start("scheduler-svc", patient({}));
    std::deque<Service> workers;
    for (int i = 0; i < 3; ++i) workers.emplace_back("worker-svc", system.environment(patient({})));
    system.set_clock(nine);
    REQUIRE(system.sent(people));

    CHECK(system.compare() == Comparison{.delivered = people});
    const auto requests = system.requests();
    CHECK(requests.size() == people + refusals);
    std::map<std::string, int> refused;
    for (const auto& request : requests) refused[request.key] += request.status == 429 ? 1 : 0;
    for (const auto& row : system.ledger()) {
        CHECK(row.failures == refused[row.key]);
        CHECK_FALSE(row.in_doubt);
    }
    double throttled = 0;
    for (const auto& worker : workers)
        throttled += metric(worker, R"(provider_throttles_total{asked="retry_after"})");
    CHECK(throttled > 0);
    CHECK(throttled < refusals);
}

TEST_CASE("a worker that cannot count its queue's consumers keeps its connection and its share") {
    System system(System::Provider::naive);
    TcpGate gate("127.0.0.1", system.broker_port());
    system.add({.count = 20});
    const auto scheduler = system.start("scheduler-svc", patient({}));
    const auto worker = system.start(
        "worker-svc",
        patient({{"PROVIDER_RATE_LIMIT", "60/s"}, {"AMQP_URL", system.amqp_url_through(gate.port())}}));
    const auto other = system.start("worker-svc", patient({{"PROVIDER_RATE_LIMIT", "60/s"}}));
    const auto has_half = [&] { return std::abs(metric(worker, "provider_rate_share") - 30) < 0.01; };
    REQUIRE(eventually(has_half));
    gate.stall();
    // Longer than the consumer waits for an answer to any question of its own.
    REQUIRE(eventually(
        [&] { return metric(worker, R"(loop_rounds_total{loop="consumers",result="failed"})") >= 3; }, 30s));
    CHECK(has_half());
    gate.forward();
    system.set_clock(nine);
    REQUIRE(system.sent(20));
    CHECK(metric(worker, R"(broker_connections_total{change="made"})") == 1);
    CHECK(metric(worker, R"(broker_connections_total{change="lost"})") == 0);
    CHECK(metric(worker, R"(hints_total{result="claimed"})") > 0);
}
