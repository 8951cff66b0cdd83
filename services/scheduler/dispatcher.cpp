#include "services/scheduler/dispatcher.hpp"

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "libcore/json/delivery.hpp"
#include "libcore/killpoint/killpoint.hpp"
#include "libcore/postgres/plan_table.hpp"
#include "libcore/runtime/log.hpp"

namespace scheduler {

using namespace std::chrono_literals;

namespace {

// Larger batches gain nothing in PostgreSQL, and hold their rows locked for longer.
constexpr int batch_size = 500;
constexpr auto confirm_timeout = 2s;
// What becomes due meanwhile goes out together: a transaction each would cost more than the lateness is
// worth.
constexpr auto gathering_pause = 50ms;
// What was not planned yet, or was due later, may be due at once now: nobody tells this dispatcher.
constexpr auto longest_pause = 500ms;
constexpr auto look_every = 500ms;

}  // namespace

Dispatcher::Dispatcher(postgres::Pool& pool, runtime::Registry& registry, const rabbitmq::Settings& broker,
                       int high_water)
    : pool_(pool),
      publisher_(broker),
      high_water_(high_water),
      least_batch_(std::clamp(high_water / 10, 1, batch_size)),
      queued_(registry.counter("messages_dispatched_total", "Messages whose hint the broker has confirmed")),
      postponed_(registry.counter("messages_postponed_total", "Due messages moved to the end of a pause")),
      missed_(registry.counter("messages_missed_total", "Messages later than their type allows")),
      unknown_(registry.counter("messages_unknown_total",
                                "Messages left to a person: the provider may have them")),
      outdated_(registry.counter("messages_outdated_total",
                                 "Due messages planned for their type as it was, and replanned instead")),
      depth_gauge_(registry.gauge("queue_depth", "Hints in the deliveries queue that no worker holds")),
      consumers_gauge_(registry.gauge("queue_consumers", "Workers that consume the deliveries queue")) {}

std::chrono::milliseconds Dispatcher::run_once() {
    const int limit = std::min(batch_size, room());
    if (limit < least_batch_) return gathering_pause;
    if (!behind_) {
        const auto wait = postgres::time_to_next_due(pool_);
        if (!wait || *wait > 0us) {
            publisher_.keep_alive();
            return std::chrono::ceil<std::chrono::milliseconds>(
                std::min<std::chrono::microseconds>(wait.value_or(longest_pause), longest_pause));
        }
    }
    const auto report = postgres::dispatch(
        pool_, limit, [this](std::span<const domain::Delivery> deliveries) { publish(deliveries); });
    if (report.total() > 0) KILLPOINT("dispatch.committed");
    room_ -= report.queued;
    queued_.Increment(report.queued);
    postponed_.Increment(report.postponed);
    missed_.Increment(report.missed);
    unknown_.Increment(report.unknown);
    if (report.missed + report.unknown > 0) {
        runtime::log::error("messages are later than their type allows",
                            {{"missed", report.missed}, {"unknown", report.unknown}});
    }
    if (!report.outdated.empty()) {
        outdated_.Increment(static_cast<double>(report.outdated.size()));
        const std::set<domain::Uuid> users(report.outdated.begin(), report.outdated.end());
        postgres::replan(pool_, std::vector(users.begin(), users.end()));
    }
    behind_ = report.total() >= limit || !report.outdated.empty();
    return behind_ ? 0ms : gathering_pause;
}

bool Dispatcher::queue_is_shallow() const {
    const int depth = depth_;
    return publisher_.connected() && depth >= 0 && depth < high_water_ / 2;
}

int Dispatcher::room() {
    const auto now = std::chrono::steady_clock::now();
    if (now - looked_at_ < look_every && (room_ > 0 || now - looked_at_ < gathering_pause)) return room_;
    depth_ = -1;
    const auto depth = publisher_.depth(confirm_timeout);
    looked_at_ = now;
    depth_ = static_cast<int>(depth.ready);
    depth_gauge_.Set(depth.ready);
    consumers_gauge_.Set(depth.consumers);
    room_ = high_water_ - depth_;
    return room_;
}

void Dispatcher::publish(std::span<const domain::Delivery> deliveries) {
    KILLPOINT("dispatch.picked");
    std::vector<std::string> bodies;
    bodies.reserve(deliveries.size());
    for (const domain::Delivery& delivery : deliveries) bodies.push_back(json::encode(delivery));
    publisher_.publish(bodies, confirm_timeout);
    KILLPOINT("dispatch.confirmed");
}

}  // namespace scheduler
