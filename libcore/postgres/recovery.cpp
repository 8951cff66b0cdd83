#include "libcore/postgres/recovery.hpp"

#include <algorithm>
#include <utility>

namespace postgres {

namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

// Since it was left: behind one that does not come back, others are not given all of their time one after the
// other, but enough for a server that is there.
constexpr std::chrono::milliseconds longest = 2s, least_turn = 200ms;
// While COMMITs and new connections are waited for, in turn, others may come that need less.
constexpr std::chrono::milliseconds look_around = 20ms;

}  // namespace

void Recovery::add(int place, std::unique_ptr<Connection> connection) {
    const std::scoped_lock lock(mutex_);
    left_.push_back({place, std::move(connection), Clock::now() + longest});
    changed_.notify_one();
}

void Recovery::work(const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    for (;;) {
        changed_.wait(lock, stop, [&] { return !left_.empty(); });
        if (left_.empty()) return;
        Left left = std::move(left_.front());
        left_.pop_front();
        // What has to end, or to come, by itself waits beside what can be stopped.
        const bool hurry =
            std::ranges::any_of(left_, [](const Left& it) { return it.connection->may_be_stopped(); });
        const auto each = std::max(1ms, look_around / static_cast<int>(left_.size() + 1));
        const auto patience = hurry ? 0ms : each;
        lock.unlock();
        const bool done =
            left.connection->is_opening() ? open(left, patience, stop) : recover(left, patience);
        lock.lock();
        if (!done) left_.push_back(std::move(left));
    }
}

bool Recovery::open(Left& left, std::chrono::milliseconds patience, const std::stop_token& stop) const {
    try {
        if (!left.connection->open(Clock::now() + patience, stop)) return false;
    } catch (const DatabaseError& error) {
        done_.not_opened(left.place, error);
        return true;
    } catch (...) {
        done_.not_opened(left.place, std::nullopt);
        return true;
    }
    done_.opened(left.place, std::move(left.connection));
    return true;
}

bool Recovery::recover(Left& left, std::chrono::milliseconds patience) const {
    const auto now = Clock::now();
    if (!left.connection->may_be_stopped() && now < left.until &&
        !left.connection->hears_until(std::min(now + patience, left.until)))
        return false;
    const auto time = std::chrono::ceil<std::chrono::milliseconds>(left.until - now);
    const bool sound = left.connection->recover(std::max(time, least_turn));
    done_.recovered(left.place, std::move(left.connection), sound);
    return true;
}

}  // namespace postgres
