#include <catch2/catch.hpp>

#include "libcore/postgres/connect_throttle.hpp"

using namespace std::chrono_literals;
using postgres::ConnectThrottle;

namespace {

constexpr ConnectThrottle::Time start{1'000s};

int opened_at(ConnectThrottle& guard, ConnectThrottle::Time now) {
    int opened = 0;
    for (; guard.admits(now) && opened < 1'000; ++opened) {
        guard.started(now);
        guard.succeeded();
    }
    return opened;
}

}  // namespace

TEST_CASE("no more connections are opened at once than may be, and the end of one lets the next begin") {
    ConnectThrottle guard(4, 10, 1);
    for (int i = 0; i < 4; ++i) {
        REQUIRE(guard.admits(start));
        guard.started(start);
    }
    CHECK_FALSE(guard.admits(start));
    CHECK_FALSE(guard.admits(start + 1h));
    CHECK(guard.next() == ConnectThrottle::Time::max());

    guard.succeeded();
    CHECK(guard.admits(start));
    guard.started(start);
    guard.abandoned();
    CHECK(guard.admits(start));
}

TEST_CASE("a second's connections may be opened in one go, then one after the other") {
    ConnectThrottle guard(0, 10, 1);
    CHECK(opened_at(guard, start) == 10);
    CHECK(guard.next() == start + 100ms);
    CHECK(opened_at(guard, start + 99ms) == 0);
    CHECK(opened_at(guard, start + 100ms) == 1);
    CHECK(opened_at(guard, start + 500ms) == 4);
    CHECK(opened_at(guard, start + 1h) == 10);
}

TEST_CASE("zeros are no limits") {
    ConnectThrottle guard(0, 0, 1);
    CHECK(opened_at(guard, start) == 1'000);
    CHECK(guard.admits_ahead(start));
}

TEST_CASE("what is opened ahead leaves one for somebody who waits") {
    ConnectThrottle guard(0, 10, 1);
    int ahead = 0;
    for (; guard.admits_ahead(start); ++ahead) {
        guard.started(start);
        guard.succeeded();
    }
    CHECK(ahead == 9);
    CHECK(guard.admits(start));
    CHECK(guard.next_ahead() == start + 100ms);
}

TEST_CASE("after failures the pause doubles up to half a second, with jitter, and ends with a success") {
    const auto seed = GENERATE(range(1U, 20U));
    ConnectThrottle guard(4, 0, seed);
    auto now = start;
    for (const auto full : {50ms, 100ms, 200ms, 400ms, 500ms, 500ms, 500ms}) {
        guard.started(now);
        guard.failed(now);
        CHECK(guard.failing());
        CHECK(guard.next() - now >= full / 2);
        CHECK(guard.next() - now <= full);
        CHECK(guard.next_ahead() - now == 10 * (guard.next() - now));
        now = guard.next();
        CHECK(guard.admits(now));
    }
    guard.started(now);
    CHECK_FALSE(guard.admits(now));  // one attempt after the other, until it is known
    CHECK(guard.admits(now + 500ms));
    guard.succeeded();
    CHECK_FALSE(guard.failing());
    CHECK(guard.admits(now));
    CHECK(guard.admits_ahead(now));
}

TEST_CASE("an attempt that was given up says nothing about the server") {
    ConnectThrottle guard(4, 0, 1);
    guard.started(start);
    guard.abandoned();
    CHECK_FALSE(guard.failing());
    CHECK(guard.admits(start));
}
