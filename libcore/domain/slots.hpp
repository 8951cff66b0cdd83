// A rate as slots: moments at each of which one request may start. Whoever leases slots one after the other
// shares the rate without ever being above it. Pure; not thread-safe.
#pragma once

#include <chrono>
#include <deque>
#include <optional>
#include <string_view>

#include "libcore/domain/rate_limit.hpp"

namespace domain {

using SlotTime = std::chrono::steady_clock::time_point;

/// The first at `first`, and one each `interval` after it. None: there may be some from `first` on.
struct Slots {
    SlotTime first;
    std::chrono::nanoseconds interval{};
    int count = 0;
};

/// Hands out the slots of one rate in their order, none of them twice.
class SlotSequence {
public:
    /// At most `wanted` of those that lie between now and `horizon` later. What nobody leased in time is
    /// lost.
    Slots lease(SlotTime now, std::chrono::nanoseconds interval, std::chrono::nanoseconds horizon,
                int wanted);

private:
    SlotTime next_{};
};

/// Slots that were leased and not used yet.
class SlotsInHand {
public:
    /// How long after its moment a slot may still be used: more would let a burst gather, less would lose
    /// slots to a thread that woke late.
    static constexpr std::chrono::milliseconds grace{100};

    void add(const Slots& slots);
    /// Zero if a slot was taken, else how long until the next one; nothing if there is none.
    std::optional<std::chrono::nanoseconds> take(SlotTime now);
    /// That can be used now or later.
    int count(SlotTime now);

private:
    void forget_missed(SlotTime now);

    std::deque<Slots> slots_;
};

/// `100/s` or `100`: from 1 to 100,000 a second. Nothing for any other text.
std::optional<RateLimit> parse_rate(std::string_view text);

}  // namespace domain
