// Two dispatchers of one scheduler fill the queue together.

#include <catch2/catch.hpp>

#include "tests/support/system/system.hpp"

namespace {

using namespace std::chrono_literals;
using support::eventually;
using support::System;

constexpr std::uint32_t high_water = 1'000;
const std::string nine = "2027-03-10T09:00:00Z";

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
