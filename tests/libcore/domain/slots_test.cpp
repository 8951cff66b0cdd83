#include "libcore/domain/slots.hpp"

#include <catch2/catch.hpp>
#include <random>
#include <vector>

using namespace domain;
using namespace std::chrono_literals;

namespace {

const SlotTime start{1000s};

/// Takes whatever can be taken at that moment.
int take_all(SlotsInHand& slots, SlotTime now) {
    int taken = 0;
    while (slots.take(now) == 0ns) ++taken;
    return taken;
}

}  // namespace

TEST_CASE("slots are leased one after the other and none twice") {
    SlotSequence sequence;
    const auto first = sequence.lease(start, 10ms, 100ms, 5);
    CHECK(first.first == start);
    CHECK(first.count == 5);
    const auto second = sequence.lease(start + 1ms, 10ms, 100ms, 100);
    CHECK(second.first == start + 50ms);
    CHECK(second.count == 6);
    const auto none = sequence.lease(start + 2ms, 10ms, 100ms, 1);
    CHECK(none.count == 0);
    CHECK(none.first == start + 110ms);
}

TEST_CASE("slots that nobody leased in time are lost") {
    SlotSequence sequence;
    CHECK(sequence.lease(start, 10ms, 100ms, 1).count == 1);
    const auto later = sequence.lease(start + 1h, 10ms, 100ms, 1000);
    CHECK(later.first == start + 1h);
    CHECK(later.count == 11);
}

TEST_CASE("whoever wants nothing leases nothing") {
    SlotSequence sequence;
    CHECK(sequence.lease(start, 10ms, 100ms, 0).count == 0);
    CHECK(sequence.lease(start, 10ms, 100ms, 1).first == start);
}

TEST_CASE("a slot is used at its moment or a little later and only once") {
    SlotsInHand slots;
    CHECK_FALSE(slots.take(start));
    slots.add({.first = start + 5ms, .interval = 10ms, .count = 3});
    CHECK(slots.count(start) == 3);
    CHECK(slots.take(start) == 5ms);
    CHECK(slots.take(start + 5ms) == 0ns);
    CHECK(slots.take(start + 5ms) == 10ms);
    CHECK(take_all(slots, start + 30ms) == 2);
    CHECK_FALSE(slots.take(start + 30ms));
}

TEST_CASE("slots that were missed by more than the grace cannot be used") {
    SlotsInHand slots;
    slots.add({.first = start, .interval = 10ms, .count = 20});
    slots.add({.first = start + 200ms, .interval = 10ms, .count = 20});
    // Those of 150 ms to 250 ms.
    CHECK(take_all(slots, start + 150ms + SlotsInHand::grace) == 11);
    CHECK(slots.count(start + 1h) == 0);
    CHECK_FALSE(slots.take(start + 1h));
}

TEST_CASE(
    "however many share a sequence, and whenever they ask, no second sees more than the rate and its grace") {
    constexpr auto interval = 3ms;
    std::mt19937 random(7);
    SlotSequence sequence;
    std::vector<SlotsInHand> workers(5);
    std::vector<SlotTime> used;
    auto now = start;
    while (now < start + 20s) {
        now += std::chrono::microseconds(std::uniform_int_distribution(1, 40'000)(random));
        auto& worker = workers[random() % workers.size()];
        const int wanted = static_cast<int>(random() % 40);
        if (worker.count(now) == 0) worker.add(sequence.lease(now, interval, 300ms, wanted));
        for (int taken = take_all(worker, now); taken > 0; --taken) used.push_back(now);
    }
    CHECK(used.size() > 20s / interval / 4);
    const auto most = static_cast<std::size_t>((1s + SlotsInHand::grace) / interval + 1);
    for (std::size_t i = 0; i + most < used.size(); ++i) {
        if (used[i + most] - used[i] < 1s) FAIL("more than " << most << " in a second");
    }
}

TEST_CASE("a rate is requests a second") {
    CHECK(parse_rate("100/s")->interval() == 10ms);
    CHECK(parse_rate("100")->interval() == 10ms);
    CHECK(parse_rate("1/s")->interval() == 1s);
    CHECK(parse_rate("100000/s")->interval() == 10us);
    for (const auto* text : {"", "/s", "0/s", "-1/s", "100001/s", "1.5/s", "100/m", "100 /s", "100/s ", "x"})
        CHECK_FALSE(parse_rate(text));
}
