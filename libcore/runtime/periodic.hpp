// The loop shell: runs one function again and again on a thread of its own. One of the places where
// exceptions are caught: a failure is logged, counted and retried after a jittered, growing pause.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

#include "libcore/runtime/log.hpp"
#include "libcore/runtime/loops.hpp"

namespace runtime {

class Periodic {
public:
    /// Does one round, on the loop's thread, and returns the pause before the next: zero means again at once.
    using RunOnce = std::function<std::chrono::milliseconds()>;

    struct Backoff {
        std::chrono::milliseconds first{100};
        std::chrono::milliseconds longest{5000};
    };

    /// Starts at once.
    Periodic(std::string name, Loops& loops, RunOnce run_once, Backoff backoff);
    Periodic(std::string name, Loops& loops, RunOnce run_once)
        : Periodic(std::move(name), loops, std::move(run_once), Backoff{}) {}
    Periodic(const Periodic&) = delete;
    Periodic& operator=(const Periodic&) = delete;
    /// Stops and waits for the round in progress.
    ~Periodic();

    /// Ends the pause early; a pause after a failure is kept. A wake during a round counts for the pause
    /// after it. Any thread.
    void wake();
    /// No further round begins. Does not wait. Any thread.
    void stop();
    /// Stops and waits for the round in progress. Waking it afterwards is allowed and does nothing.
    void join();

private:
    void run(const std::stop_token& stop);
    std::chrono::milliseconds run_guarded(int& failures);
    void log_failure(const std::string& reason, int failures, std::chrono::milliseconds pause);

    const std::string name_;
    const RunOnce run_once_;
    const Backoff backoff_;
    prometheus::Counter& successes_;
    prometheus::Counter& failures_;
    prometheus::Histogram& duration_;
    log::RateLimit failures_logged_{std::chrono::seconds(10)};
    std::atomic<Loops::Clock::time_point> round_began_{Loops::Clock::time_point{}};  ///< zero: between rounds
    const Loops::Watch watch_;
    std::mutex mutex_;
    std::condition_variable_any woken_;
    bool wake_ = false;
    std::jthread thread_;
};

}  // namespace runtime
