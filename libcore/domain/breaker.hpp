// A circuit breaker as a state machine: it is told the time and what happened, and says whether to call. A
// person can hold it open or closed for a while. Not thread-safe: whoever owns it asks and tells from one
// thread.
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
    /// Why it opened last.
    enum class Cause { none, failure_ratio, outages_in_a_row, failed_probe, held };
    /// By a person, and until when. Open or closed.
    struct Hold {
        State state = State::closed;
        Clock::time_point until;
    };
    struct Report {
        State state = State::closed;
        Clock::time_point since;                 ///< in this state
        std::optional<Clock::time_point> until;  ///< of an open circuit
        Cause cause = Cause::none;
        std::optional<Hold> hold;
        int calls = 0;  ///< in the window, of these:
        int failures = 0;
        int outages = 0;  ///< in a row
    };

    Breaker(BreakerPolicy policy, Clock::time_point now) : policy_(policy), since_(now) {}

    /// Whether a call may start now. Every call that was let through is followed by exactly one `succeeded`,
    /// `failed` or `ignored`. Half open lets one probe through, and after each success twice as many at once.
    bool may_call(Clock::time_point now);
    /// The same, and nothing is let through.
    bool would_let_through(Clock::time_point now) const;
    void succeeded(Clock::time_point now);
    /// `outage`: the other side is away, as opposed to answering with an error.
    void failed(Clock::time_point now, bool outage);
    /// A call whose end says nothing about the other side.
    void ignored();

    /// Holds it open or closed until that time, whatever happens meanwhile. After being held open it goes on
    /// with a probe, after being held closed with what it has counted.
    void hold(State state, Clock::time_point now, Clock::time_point until);
    /// Ends a hold before its time.
    void let_go(Clock::time_point now);

    State state(Clock::time_point now) const;
    /// Until when nothing is let through; in the past unless the circuit is open.
    Clock::time_point opens_until() const;
    Report report(Clock::time_point now) const;

private:
    struct Second {
        long number = -1;
        int calls = 0;
        int failures = 0;
    };
    struct Tally {
        int calls = 0;
        int failures = 0;
    };

    bool is_held(Clock::time_point now) const { return hold_ && now < hold_->until; }
    /// A hold whose time is over becomes what follows it.
    void settle(Clock::time_point now);
    void count(Clock::time_point now, bool failure);
    Tally tally(Clock::time_point now) const;
    bool too_many_failures(Clock::time_point now) const;
    void open(Clock::time_point now, Clock::time_point until, Cause cause);
    void close(Clock::time_point now);

    static constexpr std::size_t max_seconds = 60;

    BreakerPolicy policy_;
    std::array<Second, max_seconds> seconds_{};
    std::optional<Clock::time_point> open_until_;  // set from the first failure until the ramp is over
    std::optional<Hold> hold_;
    Cause cause_ = Cause::none;
    Clock::time_point since_;  // closed, opened or held
    int allowed_ = 1;          // calls at once while half open
    int in_flight_ = 0;
    int outages_ = 0;
};

/// `closed`, `open`, `half_open`.
const char* to_string(Breaker::State state);
const char* to_string(Breaker::Cause cause);

}  // namespace domain
