// How many requests may be under way at once with somebody who has asked for fewer: TCP's congestion window
// (RFC 5681). Asked to wait, it begins with one again; each success widens it, quickly up to half of what was
// too much, then by one a round trip. Pure; not thread-safe.
#pragma once

#include <chrono>

namespace domain {

class SlowStart {
public:
    using Clock = std::chrono::steady_clock;

    /// Never wider than `full`.
    explicit SlowStart(int full) : full_(full), width_(full), half_(full) {}

    int width() const { return static_cast<int>(width_); }
    void succeeded(Clock::time_point sent_at);
    /// `asked_to_wait`: the answer says for how long. False if the request was under way when an earlier
    /// refusal was heeded: then it tells nothing new.
    bool refused(Clock::time_point sent_at, Clock::time_point now, bool asked_to_wait);

private:
    double full_;
    double width_;
    double half_;  ///< of the width that was too much
    Clock::time_point heeded_at_{};
};

}  // namespace domain
