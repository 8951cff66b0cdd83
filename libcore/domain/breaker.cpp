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

bool Breaker::may_call(Clock::time_point now) {
    const State current = state(now);
    if (current == State::open) return false;
    if (current == State::half_open && in_flight_ >= allowed_) return false;
    ++in_flight_;
    return true;
}

void Breaker::succeeded(Clock::time_point now) {
    in_flight_ = std::max(0, in_flight_ - 1);
    outages_ = 0;
    // A late answer to a call from before the circuit opened proves nothing about now.
    if (state(now) == State::open) return;
    if (open_until_) {
        allowed_ *= 2;
        if (allowed_ >= full_width) close();
    }
    count(now, false);
}

void Breaker::failed(Clock::time_point now, bool outage) {
    in_flight_ = std::max(0, in_flight_ - 1);
    if (state(now) == State::open) return;
    count(now, true);
    outages_ = outage ? outages_ + 1 : 0;
    if (open_until_ || outages_ >= policy_.outages_in_a_row || too_many_failures(now)) open(now);
}

Breaker::State Breaker::state(Clock::time_point now) const {
    if (!open_until_) return State::closed;
    return now < *open_until_ ? State::open : State::half_open;
}

void Breaker::count(Clock::time_point now, bool failure) {
    const long number = second_of(now);
    Second& second = seconds_[static_cast<std::size_t>(number) % max_seconds];
    if (second.number != number) second = {.number = number};
    ++second.calls;
    if (failure) ++second.failures;
}

bool Breaker::too_many_failures(Clock::time_point now) const {
    const long oldest = second_of(now - policy_.window) + 1;
    int calls = 0;
    int failures = 0;
    for (const Second& second : seconds_) {
        if (second.number < oldest) continue;
        calls += second.calls;
        failures += second.failures;
    }
    return calls >= policy_.least_calls && failures >= policy_.failure_ratio * calls;
}

void Breaker::open(Clock::time_point now) {
    open_until_ = now + policy_.open_for;
    allowed_ = 1;
    outages_ = 0;
}

void Breaker::close() {
    open_until_.reset();
    seconds_ = {};
}

}  // namespace domain
