// Keeps the ledger as long as it should be kept, and PostgreSQL's statistics of it true. One replica works at
// a time. Apart from the guardian, whose round nothing may hold up.
#pragma once

#include <chrono>
#include <stop_token>

#include "libcore/postgres/pool.hpp"
#include "libcore/postgres/retention_table.hpp"
#include "libcore/runtime/metrics.hpp"

namespace scheduler {

class Housekeeper {
public:
    /// `retention` in months; 0 keeps everything. The pool lends two connections at once. Ends early when
    /// stop is requested: every step has been committed.
    Housekeeper(postgres::Pool& pool, runtime::Registry& registry, int retention, std::stop_token stop);

    /// Looks at what is new, and once an hour at what is old.
    std::chrono::milliseconds run_once();

private:
    using Clock = std::chrono::steady_clock;

    /// How long until it wants to be called again.
    std::chrono::milliseconds retain(const postgres::GoOn& go_on);

    postgres::Pool& pool_;
    const int retention_;
    const std::stop_token stop_;
    postgres::RetentionScan scan_;
    Clock::time_point next_analysis_{};
    Clock::time_point next_retention_{};
    prometheus::Gauge& partitions_;
    prometheus::Gauge& bytes_;
    prometheus::Gauge& unfinished_;
    prometheus::Counter& dropped_;
};

}  // namespace scheduler
