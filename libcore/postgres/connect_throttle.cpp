#include "libcore/postgres/connect_throttle.hpp"

#include <algorithm>

namespace postgres {

namespace {

using namespace std::chrono_literals;

// A server that comes back is found within half a second, by one attempt and not by a herd.
constexpr std::chrono::milliseconds first_pause = 50ms;
constexpr std::chrono::milliseconds longest_pause = 500ms;
// Nobody waits for what is opened ahead.
constexpr int patience_ahead = 10;

}  // namespace

ConnectThrottle::ConnectThrottle(int at_once, int per_second, unsigned seed)
    : at_once_(at_once),
      interval_(per_second == 0 ? Duration::zero() : Duration(1s) / per_second),
      burst_(interval_ * per_second),
      random_(seed) {}

ConnectThrottle::Time ConnectThrottle::next() const {
    if (!room()) return Time::max();
    return std::max(not_before_, filled_ - burst_ + interval_);
}

ConnectThrottle::Time ConnectThrottle::next_ahead() const {
    if (!room()) return Time::max();
    const auto left_over = std::min(burst_, 2 * interval_);
    return std::max(not_ahead_before_, filled_ - burst_ + left_over);
}

void ConnectThrottle::started(Time now) {
    ++opening_;
    filled_ = std::max(filled_, now) + interval_;
    // While it is unknown whether the server is back, one attempt after the other.
    if (failing()) not_before_ = not_ahead_before_ = now + pause();
}

void ConnectThrottle::succeeded() {
    --opening_;
    failures_ = 0;
    not_before_ = not_ahead_before_ = Time{};
}

void ConnectThrottle::failed(Time now) {
    --opening_;
    ++failures_;
    const auto wait = pause();
    not_before_ = now + wait;
    not_ahead_before_ = now + patience_ahead * wait;
}

void ConnectThrottle::abandoned() {
    --opening_;
}

/// Doubles with each failure in a row; between half and all of it, so that replicas do not knock in step.
ConnectThrottle::Duration ConnectThrottle::pause() {
    const Duration full = std::min(first_pause * (1 << std::min(failures_ - 1, 16)), longest_pause);
    return Duration(std::uniform_int_distribution<Duration::rep>(full.count() / 2, full.count())(random_));
}

}  // namespace postgres
