#include "libcore/runtime/readiness.hpp"

#include <exception>
#include <utility>

namespace runtime {
namespace {

CheckResult run_guarded(const Check& check) {
    try {
        return check.run();
    } catch (const std::exception& error) {
        return {false, error.what()};
    }
}

}  // namespace

Readiness::Readiness(std::vector<Check> checks, std::chrono::milliseconds timeout,
                     std::chrono::milliseconds interval)
    : checks_(std::move(checks)),
      timeout_(timeout),
      interval_(interval),
      thread_([this](const std::stop_token& stop) { run(stop); }) {}

Readiness::Report Readiness::report() {
    std::unique_lock lock(mutex_);
    if (first_round_) changed_.wait_until(lock, began_at_ + timeout_, [&] { return !first_round_; });
    const bool hangs = in_progress_ && Clock::now() >= began_at_ + timeout_;
    if (first_round_ || hangs) return {false, {{running_, {false, "no answer in time"}}}};
    return last_;
}

void Readiness::run(const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    while (!stop.stop_requested()) {
        in_progress_ = true;
        began_at_ = Clock::now();
        Report report;
        for (const auto& check : checks_) {
            running_ = check.name;
            lock.unlock();
            auto result = run_guarded(check);
            lock.lock();
            report.ready = report.ready && result.ok;
            report.checks.emplace_back(check.name, std::move(result));
        }
        last_ = std::move(report);
        in_progress_ = false;
        first_round_ = false;
        changed_.notify_all();
        changed_.wait_for(lock, stop, interval_, [] { return false; });
    }
}

}  // namespace runtime
