#include "libcore/domain/breaker.hpp"

#include <catch2/catch.hpp>

using namespace domain;
using namespace std::chrono_literals;
using State = Breaker::State;

namespace {

struct Timeline {
    Breaker breaker;
    Breaker::Clock::time_point now{1000s};

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
