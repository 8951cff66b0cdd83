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

prometheus::Counter& rounds_counter(Registry& registry, const std::string& loop, const char* result) {
    return registry.counter("loop_rounds_total", "Rounds of a loop", {{"loop", loop}, {"result", result}});
}

}  // namespace

Periodic::Periodic(std::string name, Loops& loops, RunOnce run_once, Backoff backoff)
    : name_(std::move(name)),
      run_once_(std::move(run_once)),
      backoff_(backoff),
      successes_(rounds_counter(loops.registry(), name_, "ok")),
      failures_(rounds_counter(loops.registry(), name_, "failed")),
      duration_(loops.registry().histogram("loop_round_duration_seconds", "Time a round of a loop takes",
                                           {{"loop", name_}})),
      watch_(loops, name_,
             [this]() -> std::optional<Loops::Clock::time_point> {
                 const auto began = round_began_.load();
                 if (began == Loops::Clock::time_point{}) return std::nullopt;
                 return began;
             }),
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
    round_began_ = begin;
    std::string reason = "unknown exception";
    try {
        const auto pause = run_once_();
        round_began_ = steady_clock::time_point{};
        if (failures > 0) log::info("a loop works again", {{"loop", name_}, {"failures", failures}});
        failures = 0;
        successes_.Increment();
        duration_.Observe(std::chrono::duration<double>(steady_clock::now() - begin).count());
        return pause;
    } catch (const std::exception& error) {
        reason = error.what();
    } catch (...) {
        // Nothing is known about it but that the round failed.
    }
    round_began_ = steady_clock::time_point{};
    ++failures;
    failures_.Increment();
    const auto pause = pause_after(failures, backoff_);
    log_failure(reason, failures, pause);
    return pause;
}

/// The first of a row always; an outage does not fill the disk.
void Periodic::log_failure(const std::string& reason, int failures, milliseconds pause) {
    if (!failures_logged_.pass() && failures > 1) return;
    log::error("a round of a loop failed", {{"loop", name_},
                                            {"reason", reason},
                                            {"failures_in_a_row", failures},
                                            {"retry_in_ms", pause.count()}});
}

}  // namespace runtime
