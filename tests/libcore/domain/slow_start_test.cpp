#include "libcore/domain/slow_start.hpp"

#include <catch2/catch.hpp>

using domain::SlowStart;
using namespace std::chrono_literals;

namespace {

const SlowStart::Clock::time_point start{1000s};

}  // namespace

TEST_CASE("as long as nobody asks for less everything may be under way at once") {
    SlowStart lanes(20);
    CHECK(lanes.width() == 20);
    lanes.succeeded(start);
    CHECK(lanes.width() == 20);
}

TEST_CASE("whoever is asked to wait begins with one and widens with each success") {
    SlowStart lanes(20);
    CHECK(lanes.refused(start, start + 1ms, true));
    CHECK(lanes.width() == 1);
    for (int width = 2; width <= 10; ++width) {
        lanes.succeeded(start + 1s);
        CHECK(lanes.width() == width);
    }
    // From half of what was too much on, a whole round trip of successes for one more.
    lanes.succeeded(start + 1s);
    CHECK(lanes.width() == 10);
    for (int i = 0; i < 10; ++i) lanes.succeeded(start + 1s);
    CHECK(lanes.width() == 11);
    for (int i = 0; i < 1000; ++i) lanes.succeeded(start + 1s);
    CHECK(lanes.width() == 20);
}

TEST_CASE("whoever is refused without a time goes on with half as many, and never with none") {
    SlowStart lanes(20);
    auto now = start;
    for (const int width : {10, 5, 2, 1, 1}) {
        CHECK(lanes.refused(now, now + 1ms, false));
        CHECK(lanes.width() == width);
        now += 1s;
    }
}

TEST_CASE("answers to requests from before a refusal was heeded tell nothing new") {
    SlowStart lanes(20);
    REQUIRE(lanes.refused(start, start + 5ms, false));
    CHECK_FALSE(lanes.refused(start + 4ms, start + 6ms, true));
    lanes.succeeded(start + 4ms);
    CHECK(lanes.width() == 10);
    CHECK(lanes.refused(start + 5ms, start + 7ms, false));
    CHECK(lanes.width() == 5);
}
