// How much a count that only rises has risen lately. Pure: time is an argument.
#pragma once

#include <chrono>
#include <deque>
#include <utility>

namespace service {

class Lately {
public:
    using Time = std::chrono::steady_clock::time_point;

    explicit Lately(std::chrono::seconds span) : span_(span) {}

    /// By how much, within the span before `now`; of what was before the first call nothing is known.
    double rise(double count, Time now) {
        seen_.emplace_back(now, count);
        while (seen_.size() > 2 && seen_[1].first <= now - span_) seen_.pop_front();
        return count - seen_.front().second;
    }

private:
    const std::chrono::seconds span_;
    std::deque<std::pair<Time, double>> seen_;
};

}  // namespace service
