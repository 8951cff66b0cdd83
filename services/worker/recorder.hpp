// Writes what the lanes did to the ledger, in batches, and only then settles the hints.
// `put` from the lanes' thread, `run_once` on one thread of its own.
#pragma once

#include <atomic>
#include <chrono>
#include <map>
#include <string>
#include <vector>

#include "libcore/postgres/pool.hpp"
#include "libcore/rabbitmq/consumer.hpp"
#include "libcore/runtime/metrics.hpp"
#include "services/worker/job.hpp"
#include "services/worker/mailbox.hpp"

namespace worker {

class Recorder {
public:
    /// Takes its connections from the reserve: while outcomes wait for one, the claims go on that need it.
    Recorder(const postgres::Pool& pool, rabbitmq::Consumer& consumer, runtime::Registry& registry);

    /// True when the recorder should look at once.
    bool put(Finished finished);

    std::chrono::milliseconds run_once();

    /// An outcome could not be recorded yet: whatever is claimed now may be what it is about. Any thread.
    bool is_behind() const;

    /// Records what is left, at the end, however long the database takes: the process's grace period bounds
    /// it.
    void flush();

private:
    void record(const std::vector<Finished>& batch);
    void record_attempts(const std::vector<Finished>& batch);
    void give_back(const std::vector<Finished>& batch);
    void count(const std::vector<postgres::Recorded>& recorded);

    postgres::Pool pool_;
    rabbitmq::Consumer& consumer_;
    Mailbox<Finished> finished_;
    Clock::time_point oldest_{};
    std::atomic<Clock::time_point> recording_since_{};  ///< zero: no batch is being recorded
    std::map<domain::Status, prometheus::Counter*> outcomes_;
    prometheus::Counter& superseded_;
    prometheus::Counter& given_back_;
    prometheus::Histogram& lateness_;
};

}  // namespace worker
