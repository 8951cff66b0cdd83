#include "services/worker/gate.hpp"

#include <catch2/catch.hpp>
#include <thread>

using namespace std::chrono_literals;
using domain::Answer;
using domain::Breaker;
using worker::Gate;

namespace {

struct Fixture {
    runtime::Registry registry{"test"};
    Gate gate{4, nullptr, registry};
    Gate::Clock::time_point now = Gate::Clock::now();

    bool passes() { return gate.pass(now, 1) == 0ns; }
    void answer(int status, std::optional<std::chrono::seconds> retry_after = {}) {
        answer_sent_at(now, status, retry_after);
    }
    void answer_sent_at(Gate::Clock::time_point sent_at, int status,
                        std::optional<std::chrono::seconds> retry_after = {}) {
        gate.answered({.http_status = status, .retry_after = retry_after}, status < 300, sent_at, now);
    }
    double metric(const std::string& name, const runtime::Labels& labels = {}) {
        return registry.counter(name, "", labels).Value();
    }
};

}  // namespace

TEST_CASE_METHOD(Fixture, "as many requests pass as there are lanes") {
    for (int i = 0; i < 4; ++i) CHECK(passes());
    CHECK_FALSE(passes());
    answer(200);
    CHECK(passes());
}

TEST_CASE_METHOD(Fixture, "a provider that asks to wait is left alone, asked by one, and then by ever more") {
    REQUIRE(passes());
    answer(429, 1s);
    CHECK(gate.closed_for() > 0ms);
    CHECK_FALSE(passes());
    CHECK(metric("provider_throttles_total", {{"asked", "retry_after"}}) == 1);
    CHECK(metric("deliveries_throttled_seconds_total", {{"by", "provider"}}) == Approx(1).margin(0.01));
    CHECK(gate.report(now).paused_until == now + 1s);

    while (gate.closed_for() > 0ms) std::this_thread::sleep_for(gate.closed_for());
    now = Gate::Clock::now();
    REQUIRE(passes());
    CHECK_FALSE(passes());
    answer(200);
    REQUIRE(passes());
    REQUIRE(passes());
    CHECK_FALSE(passes());
    CHECK(gate.width() == 2);
}

TEST_CASE_METHOD(Fixture, "one burst that is refused is one piece of news and halves what may be under way") {
    const auto sent_at = now;
    for (int i = 0; i < 4; ++i) REQUIRE(passes());
    now += 1ms;
    for (int i = 0; i < 4; ++i) answer_sent_at(sent_at, 429);
    CHECK(gate.closed_for() == 0ms);
    CHECK(gate.width() == 2);
    CHECK(gate.report(now).breaker.calls == 1);
    CHECK(metric("provider_throttles_total", {{"asked", "nothing"}}) == 1);
    REQUIRE(passes());
    REQUIRE(passes());
    CHECK_FALSE(passes());
}

TEST_CASE_METHOD(Fixture, "a provider that goes on saying too many opens the circuit") {
    for (int i = 0; i < 9; ++i) {
        REQUIRE(passes());
        answer(429);
        now += 1ms;
    }
    CHECK(gate.report(now).breaker.state == Breaker::State::closed);
    REQUIRE(passes());
    answer(429);
    CHECK(gate.report(now).breaker.state == Breaker::State::open);
    CHECK(metric("delivery_circuit_opened_total", {{"cause", "failure_ratio"}}) == 1);
}

TEST_CASE_METHOD(Fixture,
                 "a provider that refuses who asks opens the circuit, one that refuses messages does not") {
    const int status = GENERATE(400, 404, 422, 401, 403);
    for (int i = 0; i < 5; ++i) {
        REQUIRE(passes());
        answer(status);
    }
    CHECK(passes() == (status != 401 && status != 403));
}

TEST_CASE_METHOD(Fixture, "a pause is a minute at most") {
    REQUIRE(passes());
    answer(503, 3600s);
    CHECK(gate.closed_for() > 50s);
    CHECK(gate.closed_for() <= 60s);
    gate.obey({.hold = Breaker::State::open, .length = 24h}, now);
    CHECK(gate.closed_for() <= 60s);
}

TEST_CASE_METHOD(Fixture, "five outages in a row open it and refused messages do not") {
    for (int i = 0; i < 20; ++i) {
        REQUIRE(passes());
        answer(400);
    }
    CHECK(gate.report(now).breaker.state == Breaker::State::closed);
    now += 11s;
    for (int i = 0; i < 5; ++i) {
        REQUIRE(passes());
        answer(503);
    }
    CHECK(gate.report(now).breaker.cause == Breaker::Cause::outages_in_a_row);
    CHECK_FALSE(passes());
    CHECK(gate.closed_for() > 0ms);
}

TEST_CASE_METHOD(Fixture, "what nobody was there to see counts for nothing") {
    for (int i = 0; i < 20; ++i) {
        REQUIRE(passes());
        gate.missed(now);
    }
    CHECK(gate.report(now).breaker.state == Breaker::State::closed);
    CHECK(gate.report(now).breaker.calls == 0);
    for (int i = 0; i < 4; ++i) REQUIRE(passes());
}

TEST_CASE_METHOD(Fixture, "an operator holds it closed through an outage and open without one") {
    gate.obey({.hold = Breaker::State::closed, .length = 1min}, now);
    for (int i = 0; i < 30; ++i) {
        REQUIRE(passes());
        answer(503);
    }
    CHECK(registry.gauge("delivery_circuit_held", "").Value() == 1);
    gate.obey({.hold = Breaker::State::open, .length = 1min}, now);
    CHECK_FALSE(passes());
    CHECK(registry.gauge("delivery_circuit_held", "").Value() == 2);
    CHECK(registry.gauge("delivery_circuit_state", "").Value() == 2);
    CHECK(metric("delivery_circuit_holds_total", {{"state", "open"}}) == 1);
    gate.obey({}, now);
    CHECK(registry.gauge("delivery_circuit_held", "").Value() == 0);
    CHECK(registry.gauge("delivery_circuit_state", "").Value() == 1);
    REQUIRE(passes());
    CHECK_FALSE(passes());
}

TEST_CASE_METHOD(Fixture, "a hold ends by itself and shows it") {
    gate.obey({.hold = Breaker::State::open, .length = 1min}, now);
    now += 1min;
    gate.look(now);
    CHECK(registry.gauge("delivery_circuit_held", "").Value() == 0);
    CHECK(gate.report(now).breaker.state == Breaker::State::half_open);
}
