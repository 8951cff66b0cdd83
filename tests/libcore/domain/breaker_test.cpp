#include "libcore/domain/breaker.hpp"

#include <catch2/catch.hpp>

using namespace domain;
using namespace std::chrono_literals;
using State = Breaker::State;
using Cause = Breaker::Cause;

namespace {

struct Timeline {
    Breaker::Clock::time_point now{1000s};
    Breaker breaker{{}, now};

    void call(bool success, bool outage = false) {
        REQUIRE(breaker.may_call(now));
        success ? breaker.succeeded(now) : breaker.failed(now, outage);
    }
    State state() const { return breaker.state(now); }
};

Timeline opened() {
    Timeline t;
    for (int i = 0; i < 5; ++i) t.call(false, true);
    REQUIRE(t.state() == State::open);
    return t;
}

}  // namespace

TEST_CASE("half of ten calls failing within ten seconds opens the circuit") {
    Timeline t;
    for (int i = 0; i < 5; ++i) t.call(true);
    for (int i = 0; i < 4; ++i) t.call(false);
    CHECK(t.state() == State::closed);
    t.call(false);
    CHECK(t.state() == State::open);
}

TEST_CASE("failures older than the window do not count") {
    Timeline t;
    for (int i = 0; i < 4; ++i) t.call(false);
    t.now += 11s;
    for (int i = 0; i < 5; ++i) t.call(true);
    for (int i = 0; i < 4; ++i) t.call(false);
    CHECK(t.state() == State::closed);
}

TEST_CASE("five outages in a row open the circuit at low traffic") {
    Timeline t;
    for (int i = 0; i < 4; ++i) {
        t.call(false, true);
        t.now += 60s;
    }
    CHECK(t.state() == State::closed);
    t.call(false, true);
    CHECK(t.state() == State::open);
}

TEST_CASE("an answer of any kind breaks a row of outages") {
    Timeline t;
    for (int i = 0; i < 4; ++i) t.call(false, true);
    t.now += 11s;
    for (int i = 0; i < 6; ++i) t.call(true);
    for (int i = 0; i < 4; ++i) t.call(false, true);
    CHECK(t.state() == State::closed);
}

TEST_CASE("an open circuit lets nothing through for thirty seconds and then one probe") {
    Timeline t = opened();
    CHECK_FALSE(t.breaker.may_call(t.now + 29s));
    t.now += 30s;
    CHECK(t.state() == State::half_open);
    CHECK(t.breaker.may_call(t.now));
    CHECK_FALSE(t.breaker.may_call(t.now));
}

TEST_CASE("a probe that fails opens the circuit again") {
    Timeline t = opened();
    t.now += 30s;
    t.call(false, false);
    CHECK(t.state() == State::open);
    CHECK_FALSE(t.breaker.may_call(t.now + 29s));
}

TEST_CASE("after the probe the circuit widens with each success until it is closed") {
    Timeline t = opened();
    t.now += 30s;
    t.call(true);
    CHECK(t.state() == State::half_open);
    CHECK(t.breaker.may_call(t.now));
    CHECK(t.breaker.may_call(t.now));
    CHECK_FALSE(t.breaker.may_call(t.now));
    t.breaker.succeeded(t.now);
    t.breaker.succeeded(t.now);
    for (int i = 0; i < 3; ++i) t.call(true);
    CHECK(t.state() == State::closed);
}

TEST_CASE("a late answer from before the circuit opened does not close it") {
    Timeline t;
    REQUIRE(t.breaker.may_call(t.now));
    for (int i = 0; i < 5; ++i) t.call(false, true);
    t.breaker.succeeded(t.now);
    CHECK(t.state() == State::open);
}

TEST_CASE("it tells since when, until when, why it is open, and what it has counted") {
    Timeline t;
    CHECK(t.breaker.report(t.now).since == t.now);
    for (int i = 0; i < 6; ++i) t.call(true);
    for (int i = 0; i < 5; ++i) t.call(false);
    auto report = t.breaker.report(t.now);
    CHECK(report.state == State::closed);
    CHECK(report.calls == 11);
    CHECK(report.failures == 5);
    t.now += 1s;
    t.call(false);
    report = t.breaker.report(t.now);
    CHECK(report.state == State::open);
    CHECK(report.cause == Cause::failure_ratio);
    CHECK(report.since == t.now);
    CHECK(report.until == t.now + 30s);
    CHECK(opened().breaker.report(t.now).cause == Cause::outages_in_a_row);

    t.now += 30s;
    report = t.breaker.report(t.now);
    CHECK(report.state == State::half_open);
    CHECK(report.since == t.now);
    CHECK_FALSE(report.until);
    t.call(false);
    CHECK(t.breaker.report(t.now).cause == Cause::failed_probe);
}

TEST_CASE("a call that says nothing leaves its place to another and counts for nothing") {
    Timeline t = opened();
    t.now += 30s;
    REQUIRE(t.breaker.may_call(t.now));
    CHECK_FALSE(t.breaker.would_let_through(t.now));
    t.breaker.ignored();
    CHECK(t.breaker.would_let_through(t.now));
    CHECK(t.state() == State::half_open);
    const auto calls = t.breaker.report(t.now).calls;
    t.call(true);
    CHECK(t.breaker.report(t.now).calls == calls + 1);
}

TEST_CASE("held open it lets nothing through until its time is over, and then one probe") {
    Timeline t;
    t.breaker.hold(State::open, t.now, t.now + 10min);
    CHECK(t.state() == State::open);
    CHECK(t.breaker.opens_until() == t.now + 10min);
    CHECK(t.breaker.report(t.now).cause == Cause::held);
    t.now += 10min - 1s;
    CHECK_FALSE(t.breaker.may_call(t.now));
    REQUIRE(t.breaker.report(t.now).hold);
    t.now += 1s;
    CHECK(t.state() == State::half_open);
    CHECK_FALSE(t.breaker.report(t.now).hold);
    CHECK(t.breaker.may_call(t.now));
    CHECK_FALSE(t.breaker.may_call(t.now));
}

TEST_CASE("held closed it counts and does not open, and afterwards goes by what it counted") {
    Timeline t = opened();
    t.breaker.hold(State::closed, t.now, t.now + 1min);
    CHECK(t.state() == State::closed);
    for (int i = 0; i < 20; ++i) t.call(false, true);
    CHECK(t.state() == State::closed);
    t.now += 1min;
    CHECK(t.state() == State::closed);
    t.call(false, true);
    CHECK(t.state() == State::open);
}

TEST_CASE("a hold that is ended before its time ends at once") {
    Timeline t;
    t.breaker.hold(State::open, t.now, t.now + 1h);
    t.breaker.let_go(t.now);
    CHECK(t.state() == State::half_open);
    t.call(true);
    t.breaker.hold(State::closed, t.now, t.now + 1h);
    t.breaker.let_go(t.now);
    CHECK(t.state() == State::closed);
    CHECK_FALSE(t.breaker.report(t.now).hold);
    t.breaker.let_go(t.now);
    CHECK(t.state() == State::closed);
}

TEST_CASE("an answer to a call from before it was held open changes nothing") {
    Timeline t;
    REQUIRE(t.breaker.may_call(t.now));
    REQUIRE(t.breaker.may_call(t.now));
    t.breaker.hold(State::open, t.now, t.now + 1min);
    t.breaker.succeeded(t.now);
    t.breaker.failed(t.now, true);
    CHECK(t.state() == State::open);
    CHECK(t.breaker.opens_until() == t.now + 1min);
}
