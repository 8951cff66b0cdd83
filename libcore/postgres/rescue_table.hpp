// Takes back what a crash left behind, found through the published batches.
#pragma once

#include <chrono>

#include "libcore/domain/outcome.hpp"
#include "libcore/postgres/pool.hpp"

namespace postgres {

struct RescuePolicy {
    std::chrono::milliseconds lease{30'000};
    /// A hint that nobody took for this long counts as lost, if the queue is shallow.
    std::chrono::milliseconds lost_after{900'000};
    bool queue_is_shallow = false;
    domain::InDoubt in_doubt = domain::InDoubt::resend;
    int max_rescues = 3;                      ///< leases a message may lose before a person has to look
    int batches = 50;                         ///< at most this many a round
    std::chrono::milliseconds look_every{0};  ///< at the same batch
};

struct RescueReport {
    int retried = 0;   ///< leases that ran out; the provider may have these, so they are in doubt
    int parked = 0;    ///< the same, but left to a person: UNKNOWN
    int requeued = 0;  ///< hints that got lost
    int batches = 0;   ///< looked at in this round

    int taken_back() const { return retried + parked + requeued; }
};

RescueReport rescue(Pool& pool, const RescuePolicy& policy);

}  // namespace postgres
