#include "libcore/domain/breaker.hpp"

#include <algorithm>

namespace domain {

namespace {

// Once this many calls may run at once, the ramp is over.
constexpr int full_width = 64;

long second_of(Breaker::Clock::time_point now) {
    return static_cast<long>(std::chrono::floor<std::chrono::seconds>(now.time_since_epoch()).count());
}

}  // namespace

bool Breaker::would_let_through(Clock::time_point now) const {
    const State current = state(now);
    return current == State::closed || (current == State::half_open && in_flight_ < allowed_);
}

bool Breaker::may_call(Clock::time_point now) {
    settle(now);
    if (!would_let_through(now)) return false;
    ++in_flight_;
    return true;
}

void Breaker::ignored() {
    in_flight_ = std::max(0, in_flight_ - 1);
}

void Breaker::succeeded(Clock::time_point now) {
    settle(now);
    ignored();
    outages_ = 0;
    // A late answer to a call from before the circuit opened proves nothing about now.
    if (state(now) == State::open) return;
    if (open_until_) {
        allowed_ *= 2;
        if (allowed_ >= full_width) close(now);
    }
    count(now, false);
}

void Breaker::failed(Clock::time_point now, bool outage) {
    settle(now);
    ignored();
    if (state(now) == State::open) return;
    count(now, true);
    outages_ = outage ? outages_ + 1 : 0;
    if (hold_) return;
    if (open_until_) {
        open(now, now + policy_.open_for, Cause::failed_probe);
    } else if (outages_ >= policy_.outages_in_a_row) {
        open(now, now + policy_.open_for, Cause::outages_in_a_row);
    } else if (too_many_failures(now)) {
        open(now, now + policy_.open_for, Cause::failure_ratio);
    }
}

void Breaker::hold(State state, Clock::time_point now, Clock::time_point until) {
    if (state == State::closed) close(now);
    hold_ = {state, until};
    since_ = now;
    allowed_ = 1;
}

void Breaker::let_go(Clock::time_point now) {
    if (!hold_) return;
    hold_->until = std::min(hold_->until, now);
    settle(now);
}

void Breaker::settle(Clock::time_point now) {
    if (!hold_ || is_held(now)) return;
    const Hold over = *hold_;
    hold_.reset();
    if (over.state == State::open) open(since_, over.until, Cause::held);
}

Breaker::State Breaker::state(Clock::time_point now) const {
    if (is_held(now)) return hold_->state;
    if (hold_) return hold_->state == State::open ? State::half_open : State::closed;
    if (!open_until_) return State::closed;
    return now < *open_until_ ? State::open : State::half_open;
}

Breaker::Clock::time_point Breaker::opens_until() const {
    if (hold_) return hold_->state == State::open ? hold_->until : Clock::time_point::min();
    return open_until_.value_or(Clock::time_point::min());
}

Breaker::Report Breaker::report(Clock::time_point now) const {
    const Tally seen = tally(now);
    Report report{.state = state(now),
                  .since = since_,
                  .until = {},
                  .cause = hold_ && hold_->state == State::open ? Cause::held : cause_,
                  .hold = is_held(now) ? hold_ : std::nullopt,
                  .calls = seen.calls,
                  .failures = seen.failures,
                  .outages = outages_};
    if (report.state == State::open) report.until = opens_until();
    if (report.state == State::half_open) report.since = opens_until();
    return report;
}

void Breaker::count(Clock::time_point now, bool failure) {
    const long number = second_of(now);
    Second& second = seconds_[static_cast<std::size_t>(number) % max_seconds];
    if (second.number != number) second = {.number = number};
    ++second.calls;
    if (failure) ++second.failures;
}

Breaker::Tally Breaker::tally(Clock::time_point now) const {
    const long oldest = second_of(now - policy_.window) + 1;
    Tally tally;
    for (const Second& second : seconds_) {
        if (second.number < oldest) continue;
        tally.calls += second.calls;
        tally.failures += second.failures;
    }
    return tally;
}

bool Breaker::too_many_failures(Clock::time_point now) const {
    const Tally seen = tally(now);
    return seen.calls >= policy_.least_calls && seen.failures >= policy_.failure_ratio * seen.calls;
}

void Breaker::open(Clock::time_point now, Clock::time_point until, Cause cause) {
    open_until_ = until;
    cause_ = cause;
    since_ = now;
    allowed_ = 1;
    outages_ = 0;
}

void Breaker::close(Clock::time_point now) {
    open_until_.reset();
    since_ = now;
    seconds_ = {};
}

const char* to_string(Breaker::State state) {
    switch (state) {
        case Breaker::State::closed:
            return "closed";
        case Breaker::State::open:
            return "open";
        case Breaker::State::half_open:
            return "half_open";
    }
    return "";
}

const char* to_string(Breaker::Cause cause) {
    switch (cause) {
        case Breaker::Cause::none:
            return "none";
        case Breaker::Cause::failure_ratio:
            return "failure_ratio";
        case Breaker::Cause::outages_in_a_row:
            return "outages_in_a_row";
        case Breaker::Cause::failed_probe:
            return "failed_probe";
        case Breaker::Cause::held:
            return "held";
    }
    return "";
}

}  // namespace domain
