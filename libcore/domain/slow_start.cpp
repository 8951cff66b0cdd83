#include "libcore/domain/slow_start.hpp"

#include <algorithm>

namespace domain {

void SlowStart::succeeded(Clock::time_point sent_at) {
    if (sent_at < heeded_at_) return;
    width_ = std::min(full_, width_ + (width_ < half_ ? 1.0 : 1.0 / width_));
}

bool SlowStart::refused(Clock::time_point sent_at, Clock::time_point now, bool asked_to_wait) {
    if (sent_at < heeded_at_) return false;
    half_ = std::max(1.0, width_ / 2);
    width_ = asked_to_wait ? 1.0 : half_;
    heeded_at_ = now;
    return true;
}

}  // namespace domain
