#include "libcore/runtime/periodic.hpp"

#include <algorithm>
#include <exception>
#include <random>
#include <utility>

#include "libcore/runtime/log.hpp"

namespace runtime {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

/// Doubles with each failure in a row; between half and all of it, so that replicas do not return in step.
milliseconds pause_after(int failures, const Periodic::Backoff& backoff) {
    thread_local std::minstd_rand random(std::random_device{}());
    const auto full = std::min(backoff.first * (1 << std::min(failures - 1, 16)), backoff.longest);
    return milliseconds(
        std::uniform_int_distribution<milliseconds::rep>(full.count() / 2, full.count())(random));
}

}  // namespace

Periodic::Periodic(std::string name, Registry& registry, RunOnce run_once, Backoff backoff)
    : name_(std::move(name)),
      run_once_(std::move(run_once)),
      backoff_(backoff),
      successes_(
          registry.counter("loop_rounds_total", "Rounds of a loop", {{"loop", name_}, {"result", "ok"}})),
      failures_(
          registry.counter("loop_rounds_total", "Rounds of a loop", {{"loop", name_}, {"result", "failed"}})),
      duration_(registry.histogram("loop_round_duration_seconds", "Time a round of a loop takes",
                                   {{"loop", name_}})),
      last_success_(steady_clock::now()),
      thread_([this](const std::stop_token& stop) { run(stop); }) {}

Periodic::~Periodic() = default;

void Periodic::wake() {
    {
        const std::lock_guard lock(mutex_);
        wake_ = true;
    }
    woken_.notify_one();
}

void Periodic::stop() {
    thread_.request_stop();
}

void Periodic::join() {
    stop();
    if (thread_.joinable()) thread_.join();
}

milliseconds Periodic::since_success() const {
    return std::chrono::floor<milliseconds>(steady_clock::now() - last_success_.load());
}

void Periodic::run(const std::stop_token& stop) {
    int failures = 0;
    while (!stop.stop_requested()) {
        const auto pause = run_guarded(failures);
        std::unique_lock lock(mutex_);
        if (pause > milliseconds::zero())
            woken_.wait_for(lock, stop, pause, [&] { return wake_ && failures == 0; });
        if (failures == 0) wake_ = false;
    }
}

/// One round and what follows from its end: the pause before the next.
milliseconds Periodic::run_guarded(int& failures) {
    const auto begin = steady_clock::now();
    std::string reason = "unknown exception";
    try {
        const auto pause = run_once_();
        const auto end = steady_clock::now();
        last_success_ = end;
        failures = 0;
        successes_.Increment();
        duration_.Observe(std::chrono::duration<double>(end - begin).count());
        return pause;
    } catch (const std::exception& error) {
        reason = error.what();
    } catch (...) {
        // Nothing is known about it but that the round failed.
    }
    ++failures;
    failures_.Increment();
    const auto pause = pause_after(failures, backoff_);
    log::error("a round of a loop failed", {{"loop", name_},
                                            {"reason", reason},
                                            {"failures_in_a_row", failures},
                                            {"retry_in_ms", pause.count()}});
    return pause;
}

}  // namespace runtime
