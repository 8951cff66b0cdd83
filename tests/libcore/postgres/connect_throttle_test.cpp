#include <catch2/catch.hpp>

#include "libcore/postgres/connect_throttle.hpp"

using namespace std::chrono_literals;
using postgres::ConnectThrottle;

namespace {

constexpr ConnectThrottle::Time start{1'000s};

int opened_at(ConnectThrottle& throttle, ConnectThrottle::Time now) {
    int opened = 0;
    for (; throttle.admits(now) && opened < 1'000; ++opened) {
        throttle.started(now);
        throttle.succeeded();
    }
    return opened;
}

}  // namespace

TEST_CASE("no more connections are opened at once than may be, and the end of one lets the next begin") {
    ConnectThrottle throttle(4, 10, 1);
    for (int i = 0; i < 4; ++i) {
        REQUIRE(throttle.admits(start));
        throttle.started(start);
    }
    CHECK_FALSE(throttle.admits(start));
    CHECK_FALSE(throttle.admits(start + 1h));
    CHECK(throttle.next() == ConnectThrottle::Time::max());

    throttle.succeeded();
    CHECK(throttle.admits(start));
    throttle.started(start);
    throttle.abandoned();
    CHECK(throttle.admits(start));
}

TEST_CASE("a second's connections may be opened in one go, then one after the other") {
    ConnectThrottle throttle(0, 10, 1);
    CHECK(opened_at(throttle, start) == 10);
    CHECK(throttle.next() == start + 100ms);
    CHECK(opened_at(throttle, start + 99ms) == 0);
    CHECK(opened_at(throttle, start + 100ms) == 1);
    CHECK(opened_at(throttle, start + 500ms) == 4);
    CHECK(opened_at(throttle, start + 1h) == 10);
}

TEST_CASE("zeros are no limits") {
    ConnectThrottle throttle(0, 0, 1);
    CHECK(opened_at(throttle, start) == 1'000);
    CHECK(throttle.next_ahead() <= start);
}

TEST_CASE("what is opened ahead leaves one for somebody who waits") {
    ConnectThrottle throttle(0, 10, 1);
    int ahead = 0;
    for (; throttle.next_ahead() <= start; ++ahead) {
        throttle.started(start);
        throttle.succeeded();
    }
    CHECK(ahead == 9);
    CHECK(throttle.admits(start));
    CHECK(throttle.next_ahead() == start + 100ms);
}

TEST_CASE("after failures the pause doubles up to half a second, with jitter, and ends with a success") {
    const auto seed = GENERATE(range(1U, 20U));
    ConnectThrottle throttle(4, 0, seed);
    auto now = start;
    for (const auto full : {50ms, 100ms, 200ms, 400ms, 500ms, 500ms, 500ms}) {
        throttle.started(now);
        throttle.failed(now);
        CHECK(throttle.failing());
        CHECK(throttle.next() - now >= full / 2);
        CHECK(throttle.next() - now <= full);
        CHECK(throttle.next_ahead() - now == 10 * (throttle.next() - now));
        now = throttle.next();
        CHECK(throttle.admits(now));
    }
    throttle.started(now);
    CHECK_FALSE(throttle.admits(now));  // one attempt after the other, until it is known
    CHECK(throttle.admits(now + 500ms));
    throttle.succeeded();
    CHECK_FALSE(throttle.failing());
    CHECK(throttle.admits(now));
    CHECK(throttle.next_ahead() <= now);
}

TEST_CASE("an attempt that was given up says nothing about the server") {
    ConnectThrottle throttle(4, 0, 1);
    throttle.started(start);
    throttle.abandoned();
    CHECK_FALSE(throttle.failing());
    CHECK(throttle.admits(start));
}
