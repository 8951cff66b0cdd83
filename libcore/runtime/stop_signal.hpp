// SIGTERM and SIGINT become a stop token. A second one ends the process at once; a process that has not ended
// within the grace period after the first ends itself, so that a supervisor never has to kill it.
#pragma once

#include <atomic>
#include <chrono>
#include <stop_token>
#include <thread>

namespace runtime {

/// Made in main before any other thread starts (threads inherit the blocked signals), destroyed last.
/// SIGPIPE is ignored from then on.
class StopSignal {
public:
    explicit StopSignal(std::chrono::milliseconds grace = std::chrono::seconds(25));
    StopSignal(const StopSignal&) = delete;
    StopSignal& operator=(const StopSignal&) = delete;
    ~StopSignal();

    /// `std::stop_callback` on it runs on the signal thread.
    std::stop_token token() const { return source_.get_token(); }
    bool requested() const { return source_.stop_requested(); }
    /// As SIGTERM does; any thread.
    void request();

    void wait() const;
    /// Whether stop was requested before the time was over.
    bool wait_for(std::chrono::milliseconds timeout) const;

private:
    void watch();
    void wake();

    const std::chrono::milliseconds grace_;
    std::stop_source source_;
    const int wake_fd_;
    std::atomic<bool> requested_ = false;
    std::atomic<bool> ended_ = false;
    std::thread thread_;
};

/// Blocks the stop signals in the calling thread, for threads that may start before StopSignal does.
void block_stop_signals();

/// Sleeps; returns early, with true, when stop is requested.
bool sleep_until_stop(const std::stop_token& stop, std::chrono::milliseconds duration);

}  // namespace runtime
