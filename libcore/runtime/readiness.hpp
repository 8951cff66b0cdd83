// Runs a service's dependency checks on a thread of its own, at most once per cache time however often it is
// asked, and answers within the timeout whatever the checks do.
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

    Readiness(std::vector<Check> checks, std::chrono::milliseconds timeout, std::chrono::milliseconds cache);

    /// Any thread.
    Report report();

private:
    using Clock = std::chrono::steady_clock;

    void run(const std::stop_token& stop);

    const std::vector<Check> checks_;
    const std::chrono::milliseconds timeout_;
    const std::chrono::milliseconds cache_;
    std::mutex mutex_;
    std::condition_variable_any changed_;
    bool wanted_ = false;
    Clock::time_point finished_at_ = Clock::time_point::min();
    std::string running_;  ///< name of the check in progress
    Report last_;
    std::jthread thread_;
};

}  // namespace runtime
