#include "libcore/domain/rate_limit.hpp"

#include <algorithm>
#include <cstdint>

namespace domain {

RateBucket::Decision RateBucket::take(const RateLimit& limit, Clock::time_point now) {
    const auto interval = limit.interval();
    const auto after = std::max(full_at_, now) + interval;
    // A division that leaves a rest must not cost the last request of a full bucket.
    const auto latest = now + interval * limit.requests;
    Decision decision;
    decision.allowed = after <= latest;
    if (decision.allowed) full_at_ = after;
    decision.refill = full_at_ - now;
    const auto room = latest - full_at_;
    decision.remaining = static_cast<int>(std::max<std::int64_t>(room / interval, 0));
    if (decision.remaining == 0) decision.wait = interval - room;
    return decision;
}

}  // namespace domain
