// Keeps partitions ahead of time, and shows how the ledger stands.
#pragma once

#include <atomic>
#include <chrono>

#include "libcore/postgres/pool.hpp"
#include "libcore/runtime/metrics.hpp"

namespace scheduler {

class Guardian {
public:
    Guardian(postgres::Pool& pool, runtime::Registry& registry);

    std::chrono::milliseconds run_once();

    /// Whole months from now with a partition, as last seen; messages cannot be planned without. Any thread.
    int partitions_ahead() const { return partitions_; }

private:
    void look_at_partitions();

    postgres::Pool& pool_;
    std::atomic<int> partitions_{0};
    prometheus::Gauge& partitions_ahead_;
    prometheus::Gauge& due_;
    prometheus::Gauge& oldest_due_;
};

}  // namespace scheduler
