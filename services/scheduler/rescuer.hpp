// The rescuing pass: what crashes left in flight goes back to the ledger.
#pragma once

#include <chrono>
#include <functional>

#include "libcore/postgres/pool.hpp"
#include "libcore/postgres/rescue_table.hpp"
#include "libcore/runtime/metrics.hpp"

namespace scheduler {

class Rescuer {
public:
    /// `queue_is_shallow` is asked before each round; the policy's own value is not used.
    Rescuer(postgres::Pool& pool, runtime::Registry& registry, const postgres::RescuePolicy& policy,
            std::function<bool()> queue_is_shallow);

    std::chrono::milliseconds run_once();

private:
    postgres::Pool& pool_;
    postgres::RescuePolicy policy_;
    const std::function<bool()> queue_is_shallow_;
    bool failed_ = false;  ///< the last round did not come to its end
    prometheus::Counter& retried_;
    prometheus::Counter& parked_;
    prometheus::Counter& requeued_;
};

}  // namespace scheduler
