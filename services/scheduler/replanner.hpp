// The replanning pass: after an edit of a message type everything that waits is brought in line with it, and
// what a deleted type leaves behind is cleared away. That nothing goes out by old rules does not hang on it:
// dispatch and claim compare versions.
#pragma once

#include <chrono>
#include <span>
#include <stop_token>

#include "libcore/postgres/plan_table.hpp"
#include "libcore/postgres/pool.hpp"
#include "libcore/runtime/metrics.hpp"

namespace scheduler {

class Replanner {
public:
    Replanner(postgres::Pool& pool, runtime::Registry& registry, std::stop_token stop);

    /// Works for some seconds at most and returns the pause before the next look.
    std::chrono::milliseconds run_once();

private:
    /// Whether nothing outdated waits any longer.
    template <class KeepGoing>
    bool replan(const postgres::ChangedType& type, const KeepGoing& keep_going);
    void replan(std::span<const domain::Uuid> users);

    postgres::Pool& pool_;
    const std::stop_token stop_;
    prometheus::Counter& users_;
    prometheus::Gauge& types_;
};

}  // namespace scheduler
