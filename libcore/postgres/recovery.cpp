#include "libcore/postgres/recovery.hpp"

#include <algorithm>
#include <utility>

namespace postgres {

namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

// Since it was left: behind one that does not come back, others are not given their time one after the other.
constexpr std::chrono::milliseconds patience = 2s;

}  // namespace

Recovery::~Recovery() {
    thread_.request_stop();
    if (thread_.joinable()) thread_.join();
}

void Recovery::add(int place, std::unique_ptr<Connection> connection) {
    const std::scoped_lock lock(mutex_);
    left_.push_back({place, std::move(connection), Clock::now() + patience});
    if (!thread_.joinable()) thread_ = std::jthread([this](const std::stop_token& stop) { work(stop); });
    changed_.notify_one();
}

void Recovery::work(const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    for (;;) {
        changed_.wait(lock, stop, [&] { return !left_.empty(); });
        if (left_.empty()) return;
        Left left = std::move(left_.front());
        left_.pop_front();
        lock.unlock();
        const auto time = std::chrono::ceil<std::chrono::milliseconds>(left.until - Clock::now());
        const bool sound = left.connection->recover(std::max(time, 1ms));
        done_(left.place, std::move(left.connection), sound);
        lock.lock();
    }
}

}  // namespace postgres
