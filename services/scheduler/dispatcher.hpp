// The dispatching pass: publishes what is due and marks it QUEUED, as long as the queue is not deep.
// Runs on one thread, which owns the publisher.
#pragma once

#include <atomic>
#include <chrono>
#include <optional>

#include "libcore/postgres/dispatch_table.hpp"
#include "libcore/rabbitmq/publisher.hpp"
#include "libcore/runtime/metrics.hpp"

namespace scheduler {

class Dispatcher {
public:
    Dispatcher(postgres::Pool& pool, runtime::Registry& registry, const rabbitmq::Settings& broker,
               int high_water);

    /// Publishes one batch of what is due, or looks when something will be; returns zero as long as there may
    /// be more.
    std::chrono::milliseconds run_once();

    /// The queue is known to be below half its mark: hints that nobody took are lost, not waiting. Any
    /// thread.
    bool queue_is_shallow() const;

private:
    /// How many more messages the queue may take, looked up when it may have changed.
    int room();
    void publish(std::span<const domain::Delivery> deliveries);

    postgres::Pool& pool_;
    rabbitmq::Publisher publisher_;
    const int high_water_;
    const int least_batch_;  ///< no trickle of small batches into a full queue: each is a row to watch
    int room_ = 0;
    bool behind_ = false;  ///< there was more due than the last batch took
    std::chrono::steady_clock::time_point looked_at_{};
    std::atomic<int> depth_{-1};  ///< -1: not known
    prometheus::Counter& queued_;
    prometheus::Counter& postponed_;
    prometheus::Counter& missed_;
    prometheus::Counter& unknown_;
    prometheus::Counter& outdated_;
    prometheus::Gauge& depth_gauge_;
    prometheus::Gauge& consumers_gauge_;
};

}  // namespace scheduler
