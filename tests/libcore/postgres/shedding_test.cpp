#include <catch2/catch.hpp>

#include "libcore/postgres/shedding.hpp"

using namespace std::chrono_literals;
using postgres::Shedding;

namespace {

constexpr Shedding::Time start{1'000s};

struct Fixture {
    Shedding shedding{50ms, 1s};
};

}  // namespace

TEST_CASE_METHOD(Fixture, "waiting that has been above the target for all of the interval is overload") {
    for (auto passed = 0ms; passed < 1s; passed += 10ms) {
        shedding.turn(60ms, true, start + passed);
        CHECK_FALSE(shedding.overloaded(start + passed));
    }
    CHECK(shedding.overloaded(start + 1s));
    CHECK(shedding.longest_wait() == 100ms);
}

TEST_CASE_METHOD(Fixture, "one who waited for no longer than the target ends it") {
    shedding.turn(60ms, true, start);
    shedding.turn(50ms, true, start + 900ms);
    shedding.turn(60ms, true, start + 950ms);
    CHECK_FALSE(shedding.overloaded(start + 1'900ms));
    CHECK(shedding.overloaded(start + 1'950ms));
    shedding.turn(10ms, true, start + 2s);
    CHECK_FALSE(shedding.overloaded(start + 9s));
}

TEST_CASE_METHOD(Fixture, "a few who wait for others to finish are no overload, however long it takes") {
    shedding.turn(2s, false, start);
    shedding.waiting(2s, false, start);
    CHECK_FALSE(shedding.overloaded(start + 9s));

    shedding.turn(60ms, true, start);
    shedding.waiting(2s, false, start + 10ms);
    CHECK_FALSE(shedding.overloaded(start + 9s));
}

TEST_CASE_METHOD(Fixture, "a line that does not move at all is noticed") {
    CHECK(shedding.look_at(start, start) > start + 50ms);
    shedding.waiting(51ms, true, start + 51ms);
    CHECK(shedding.look_at(start, start + 51ms) == start + 1'051ms);
    shedding.waiting(1'051ms, true, start + 1'051ms);
    CHECK(shedding.overloaded(start + 1'051ms));
    CHECK(shedding.look_at(start + 1s, start + 1'051ms) == start + 1'100ms);
}

TEST_CASE_METHOD(Fixture, "a short wait of whoever is first by now does not end it") {
    shedding.turn(60ms, true, start);
    shedding.waiting(40ms, true, start + 500ms);
    CHECK(shedding.overloaded(start + 1s));
}

TEST_CASE("a target of zero sheds nobody") {
    Shedding shedding{0ms, 1s};
    shedding.turn(5s, true, start);
    CHECK_FALSE(shedding.overloaded(start + 9s));
    CHECK(shedding.look_at(start, start) == Shedding::Time::max());
}
