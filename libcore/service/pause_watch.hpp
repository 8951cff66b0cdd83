// Looks twice a second whether deliveries are paused, and shows it: the gauge `deliveries_paused`, an entry
// of readiness, and a line in the log when a pause begins and when it ends. The reason is an operator's free
// text and stays in the ledger. With the same look it learns that the rules of time zones have changed, and
// renews the pool, whose sessions go by those of before.
#pragma once

#include <chrono>
#include <functional>
#include <mutex>
#include <optional>
#include <string>

#include "libcore/postgres/pool.hpp"
#include "libcore/postgres/signals_table.hpp"
#include "libcore/runtime/metrics.hpp"
#include "libcore/runtime/periodic.hpp"
#include "libcore/runtime/readiness.hpp"

namespace service {

/// What is known of a pause: the gauge and the check. Thread-safe.
class PauseState {
public:
    explicit PauseState(runtime::Registry& registry);

    /// Never fails: a paused service is as ready as one that has nothing to do. The state outlives it.
    runtime::Check check();

    /// "paused until …"; empty while deliveries go on.
    void show(const std::string& state);

private:
    prometheus::Gauge& gauge_;
    std::mutex mutex_;
    std::string state_;
};

/// Owns the thread that looks.
class PauseWatch {
public:
    using Clock = std::chrono::steady_clock;
    /// Called on that thread each time it has seen a pause, with the time at which it held for certain or
    /// later.
    using Paused = std::function<void(Clock::time_point seen_at)>;

    /// Called on that thread each time the pool was renewed.
    using Renewed = std::function<void()>;

    PauseWatch(postgres::Pool& pool, PauseState& state, runtime::Loops& loops, Paused paused = {},
               Renewed renewed = {});

private:
    std::chrono::milliseconds look();
    void look_at_zones(const postgres::Signals& signals);

    postgres::Pool& pool_;
    PauseState& state_;
    const Paused paused_;
    const Renewed renewed_;
    std::optional<int> zone_generation_;
    runtime::Periodic looking_;
};

}  // namespace service
