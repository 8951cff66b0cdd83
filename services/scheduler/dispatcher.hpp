// The dispatching passes: publish what is due and mark it QUEUED, as long as the queue is not deep. The
// broker confirms one batch while PostgreSQL picks the next: so there are two, a thread each, and the second
// works only when one is not enough.
#pragma once

#include <atomic>
#include <chrono>
#include <optional>

#include "libcore/postgres/dispatch_table.hpp"
#include "libcore/rabbitmq/publisher.hpp"
#include "libcore/runtime/metrics.hpp"
#include "services/scheduler/queue_room.hpp"

namespace scheduler {

class Dispatcher {
public:
    Dispatcher(postgres::Pool& pool, runtime::Registry& registry, const rabbitmq::Settings& broker,
               int high_water);

    /// Publishes one batch of what is due, or looks when something will be; returns zero as long as there may
    /// be more.
    std::chrono::milliseconds run_once();
    /// The second pass: publishes one batch if the first one is behind, and nothing has failed since. Wake it
    /// when that is so.
    std::chrono::milliseconds help_once();
    /// There was more due than the last batch took. Any thread.
    bool behind() const { return behind_; }

    /// The queue is known to be below half its mark: hints that nobody took are lost, not waiting. Any
    /// thread.
    bool queue_is_shallow() const;

private:
    enum class Batch { no_room, partial, full };

    std::chrono::milliseconds lead();
    std::chrono::milliseconds help();
    /// What fails keeps the second pass from failing, too, with rows locked and a connection taken.
    template <class Pass>
    std::chrono::milliseconds alone_after_failure(Pass pass);
    /// Looks how deep the queue is when that may have changed.
    void look_at_queue();
    Batch dispatch(rabbitmq::Publisher& publisher);

    postgres::Pool& pool_;
    rabbitmq::Publisher publisher_;
    rabbitmq::Publisher second_publisher_;
    const int high_water_;
    const int least_batch_;  ///< no trickle of small batches into a full queue: each is a row to watch
    QueueRoom room_;
    std::atomic<bool> behind_ = false;
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
