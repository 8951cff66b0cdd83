// Runs a service's dependency checks on a thread of its own, however often it is asked, and tells what they
// said last: nobody who asks waits for a check, but at the very beginning.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace runtime {

struct CheckResult {
    bool ok = true;
    std::string detail = {};
};

/// A dependency that the service cannot work without. An exception means not ok. A check that does not answer
/// in time makes the service not ready, and never blocks a probe.
struct Check {
    std::string name;
    std::function<CheckResult()> run;
};

class Readiness {
public:
    struct Report {
        bool ready = true;
        std::vector<std::pair<std::string, CheckResult>> checks;
    };

    /// `interval` lies between two rounds of checks; a round that takes longer than `timeout` counts as
    /// failed.
    Readiness(std::vector<Check> checks, std::chrono::milliseconds timeout,
              std::chrono::milliseconds interval);

    /// Any thread.
    Report report();

private:
    using Clock = std::chrono::steady_clock;

    void run(const std::stop_token& stop);

    const std::vector<Check> checks_;
    const std::chrono::milliseconds timeout_;
    const std::chrono::milliseconds interval_;
    std::mutex mutex_;
    std::condition_variable_any changed_;
    bool first_round_ = true;
    Clock::time_point began_at_ = Clock::now();  ///< the round in progress, or the last one
    bool in_progress_ = true;
    std::string running_;  ///< name of the check in progress
    Report last_;
    std::jthread thread_;
};

}  // namespace runtime
