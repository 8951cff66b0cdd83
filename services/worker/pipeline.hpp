// The worker as a whole: consumer → claimer → lanes → recorder → ack, and how it stops without dropping
// anything.
#pragma once

#include <chrono>
#include <optional>
#include <thread>

#include "libcore/postgres/pool.hpp"
#include "libcore/rabbitmq/consumer.hpp"
#include "libcore/rabbitmq/queue_watch.hpp"
#include "libcore/runtime/loops.hpp"
#include "libcore/runtime/metrics.hpp"
#include "libcore/runtime/periodic.hpp"
#include "services/worker/claimer.hpp"
#include "services/worker/lanes.hpp"
#include "services/worker/mailbox.hpp"
#include "services/worker/recorder.hpp"
#include "services/worker/settings.hpp"

namespace worker {

class Pipeline {
public:
    /// `rate` may be null: there is no limit. It outlives the pipeline.
    Pipeline(const Settings& settings, ProviderRate* rate, postgres::Pool& pool, runtime::Loops& loops);
    Pipeline(const Pipeline&) = delete;
    Pipeline& operator=(const Pipeline&) = delete;
    ~Pipeline();

    /// Takes no further work; what is claimed is sent or given back, recorded, and acked. Hints that were not
    /// claimed return to the queue.
    void stop();

    /// Deliveries were paused at that moment. Any thread.
    void recall(Clock::time_point paused_at) { lanes_.recall(paused_at); }

    /// Any thread.
    std::optional<CircuitReport> circuit(const std::optional<CircuitOrder>& order) {
        return lanes_.circuit(order);
    }

private:
    rabbitmq::Settings forgetting_on_loss(rabbitmq::Settings broker);
    void receive(rabbitmq::Received received);
    /// For the rate, those who share it.
    std::chrono::milliseconds count(ProviderRate& rate);

    Mailbox<Hint> hints_;
    prometheus::Gauge& waiting_;
    prometheus::Counter& malformed_;
    rabbitmq::Consumer consumer_;
    Recorder recorder_;
    Lanes lanes_;
    Claimer claimer_;
    const runtime::Loops::Watch lanes_watched_;
    const runtime::Loops::Watch consumer_watched_;
    runtime::Periodic recording_;
    runtime::Periodic claiming_;
    rabbitmq::QueueWatch queue_watch_;
    std::optional<runtime::Periodic> counting_;  ///< if there is a rate
    std::thread consuming_;
};

}  // namespace worker
