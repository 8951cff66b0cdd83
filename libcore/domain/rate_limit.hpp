// How many requests a caller may make: a token bucket kept as a single instant (the generic cell rate
// algorithm, ITU-T I.371). Pure; not thread-safe.
#pragma once

#include <chrono>

namespace domain {

/// All requests of a full bucket at once, and then one each `window / requests`.
struct RateLimit {
    int requests = 1;  ///< at least 1
    std::chrono::nanoseconds window{};

    std::chrono::nanoseconds interval() const { return window / requests; }
};

class RateBucket {
public:
    using Clock = std::chrono::steady_clock;

    struct Decision {
        bool allowed = true;
        int remaining = 0;                  ///< that would be allowed right after this one
        std::chrono::nanoseconds wait{};    ///< until the next one is; zero while some remain
        std::chrono::nanoseconds refill{};  ///< until the bucket is full again
    };

    /// A refused request takes nothing.
    Decision take(const RateLimit& limit, Clock::time_point now);
    /// Undoes one allowed `take`.
    void give_back(const RateLimit& limit) { full_at_ -= limit.interval(); }

    /// From then on the bucket says no more than a new one.
    Clock::time_point full_at() const { return full_at_; }

private:
    Clock::time_point full_at_{};
};

}  // namespace domain
