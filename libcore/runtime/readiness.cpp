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
                     std::chrono::milliseconds cache)
    : checks_(std::move(checks)),
      timeout_(timeout),
      cache_(cache),
      thread_([this](const std::stop_token& stop) { run(stop); }) {}

Readiness::Report Readiness::report() {
    std::unique_lock lock(mutex_);
    const auto fresh = [&] {
        return finished_at_ != Clock::time_point::min() && Clock::now() < finished_at_ + cache_;
    };
    if (fresh()) return last_;
    const auto asked_at = Clock::now();
    wanted_ = true;
    changed_.notify_all();
    if (changed_.wait_until(lock, asked_at + timeout_, [&] { return finished_at_ >= asked_at; }))
        return last_;
    return {false, {{running_, {false, "no answer in time"}}}};
}

void Readiness::run(const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    while (changed_.wait(lock, stop, [&] { return wanted_; })) {
        wanted_ = false;
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
        finished_at_ = Clock::now();
        changed_.notify_all();
    }
}

}  // namespace runtime
