// A circuit breaker as a state machine: it is told the time and what happened, and says whether to call.
// Not thread-safe: whoever owns it asks and tells from one thread.
#pragma once

#include <array>
#include <chrono>
#include <optional>

namespace domain {

struct BreakerPolicy {
    double failure_ratio = 0.5;
    int least_calls = 10;
    std::chrono::milliseconds window{10'000};
    int outages_in_a_row = 5;
    std::chrono::milliseconds open_for{30'000};
};

class Breaker {
public:
    using Clock = std::chrono::steady_clock;
    enum class State { closed, open, half_open };

    explicit Breaker(BreakerPolicy policy = {}) : policy_(policy) {}

    /// Whether a call may start now. Every call that was let through is followed by exactly one `succeeded`
    /// or `failed`. Half open lets one
    /// probe through, and after each success twice as many at once.
    bool may_call(Clock::time_point now);
    void succeeded(Clock::time_point now);
    /// `outage`: the other side is away, as opposed to answering with an error.
    void failed(Clock::time_point now, bool outage);

    State state(Clock::time_point now) const;
    /// When an open circuit lets its probe through.
    Clock::time_point opens_until() const { return open_until_.value_or(Clock::time_point::min()); }

private:
    struct Second {
        long number = -1;
        int calls = 0;
        int failures = 0;
    };

    void count(Clock::time_point now, bool failure);
    bool too_many_failures(Clock::time_point now) const;
    void open(Clock::time_point now);
    void close();

    static constexpr std::size_t max_seconds = 60;

    BreakerPolicy policy_;
    std::array<Second, max_seconds> seconds_{};
    std::optional<Clock::time_point> open_until_;  // set from the first failure until the ramp is over
    int allowed_ = 1;                              // calls at once while half open
    int in_flight_ = 0;
    int outages_ = 0;
};

}  // namespace domain
