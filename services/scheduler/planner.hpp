// The planning pass: creates the coming messages up to the horizon.
#pragma once

#include <chrono>
#include <stop_token>

#include "libcore/postgres/plan_table.hpp"
#include "libcore/postgres/pool.hpp"
#include "libcore/runtime/metrics.hpp"

namespace scheduler {

class Planner {
public:
    Planner(postgres::Pool& pool, runtime::Registry& registry, std::chrono::milliseconds horizon,
            std::stop_token stop);

    /// Plans units that are due, for some seconds at most, and returns the pause before the next look: zero
    /// as long as there are more. Ends early when stop is requested: every chunk has been committed, and
    /// whoever comes next goes on from there.
    std::chrono::milliseconds run_once();

private:
    int plan(const postgres::Unit& unit, const postgres::KeepGoing& keep_going);

    postgres::Pool& pool_;
    const std::chrono::milliseconds horizon_;
    const std::stop_token stop_;
    postgres::ChunkSize chunk_size_;
    prometheus::Counter& messages_;
    prometheus::Counter& units_;
};

}  // namespace scheduler
