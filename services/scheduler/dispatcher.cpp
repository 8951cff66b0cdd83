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

constexpr auto confirm_timeout = 2s;
// What becomes due meanwhile goes out together: a transaction each would cost more than the lateness is
// worth.
constexpr auto gathering_pause = 50ms;
// What was not planned yet, or was due later, may be due at once now: nobody tells this dispatcher.
constexpr auto longest_pause = 500ms;
constexpr auto look_every = 500ms;
// Of the second pass, which is woken.
constexpr auto longest_nap = 5s;

// The state of the broker is told by the first publisher alone: this one has no connection before it is
// needed.
rabbitmq::Settings untold(rabbitmq::Settings settings) {
    settings.observe = {};
    return settings;
}

void publish(rabbitmq::Publisher& publisher, std::span<const domain::Delivery> deliveries) {
    KILLPOINT("dispatch.picked");
    std::vector<std::string> bodies;
    bodies.reserve(deliveries.size());
    for (const domain::Delivery& delivery : deliveries) bodies.push_back(json::encode(delivery));
    publisher.publish(bodies, confirm_timeout);
    KILLPOINT("dispatch.confirmed");
}

}  // namespace

Dispatcher::Dispatcher(postgres::Pool& pool, runtime::Registry& registry, const rabbitmq::Settings& broker,
                       int high_water)
    : pool_(pool),
      publisher_(broker),
      second_publisher_(untold(broker)),
      high_water_(high_water),
      least_batch_(std::clamp(high_water / 10, 1, postgres::largest_dispatch)),
      room_(high_water),
      queued_(registry.counter("messages_dispatched_total", "Messages whose hint the broker has confirmed")),
      postponed_(registry.counter("messages_postponed_total", "Due messages moved to the end of a pause")),
      missed_(registry.counter("messages_missed_total", "Messages later than their type allows")),
      unknown_(registry.counter("messages_unknown_total",
                                "Messages left to a person: the provider may have them")),
      outdated_(registry.counter("messages_outdated_total",
                                 "Due messages planned for their type as it was, and replanned instead")),
      depth_gauge_(registry.gauge("queue_depth", "Hints in the deliveries queue that no worker holds")),
      consumers_gauge_(registry.gauge("queue_consumers", "Workers that consume the deliveries queue")) {}

template <class Pass>
std::chrono::milliseconds Dispatcher::alone_after_failure(Pass pass) {
    try {
        return pass();
    } catch (...) {
        behind_ = false;
        throw;
    }
}

std::chrono::milliseconds Dispatcher::run_once() {
    return alone_after_failure([this] { return lead(); });
}

std::chrono::milliseconds Dispatcher::help_once() {
    return alone_after_failure([this] { return help(); });
}

std::chrono::milliseconds Dispatcher::lead() {
    look_at_queue();
    if (!behind_ && room_.left() >= least_batch_) {
        const auto wait = postgres::time_to_next_due(pool_);
        if (!wait || *wait > 0us) {
            publisher_.keep_alive();
            return std::chrono::ceil<std::chrono::milliseconds>(
                std::min<std::chrono::microseconds>(wait.value_or(longest_pause), longest_pause));
        }
    }
    const Batch batch = dispatch(publisher_);
    if (batch != Batch::no_room) behind_ = batch == Batch::full;
    return batch == Batch::full ? 0ms : gathering_pause;
}

std::chrono::milliseconds Dispatcher::help() {
    second_publisher_.keep_alive();
    if (!behind_) return longest_nap;
    // Connects now rather than with rows locked.
    if (!second_publisher_.connected()) second_publisher_.depth(confirm_timeout);
    return dispatch(second_publisher_) == Batch::full ? 0ms : longest_nap;
}

bool Dispatcher::queue_is_shallow() const {
    const int depth = depth_;
    return publisher_.connected() && depth >= 0 && depth < high_water_ / 2;
}

void Dispatcher::look_at_queue() {
    const auto now = std::chrono::steady_clock::now();
    if (now - looked_at_ < (room_.left() >= least_batch_ ? look_every : gathering_pause)) return;
    depth_ = -1;
    const auto used_before = room_.used();
    const auto depth = publisher_.depth(confirm_timeout);
    looked_at_ = now;
    depth_ = static_cast<int>(depth.ready);
    depth_gauge_.Set(depth.ready);
    consumers_gauge_.Set(depth.consumers);
    room_.found(depth_, used_before);
}

Dispatcher::Batch Dispatcher::dispatch(rabbitmq::Publisher& publisher) {
    auto share = room_.take(postgres::largest_dispatch, least_batch_);
    if (share.size() == 0) return Batch::no_room;
    const auto report = postgres::dispatch(
        pool_, share.size(),
        [&](std::span<const domain::Delivery> deliveries) { publish(publisher, deliveries); });
    if (report.total() > 0) KILLPOINT("dispatch.committed");
    share.use(report.queued);
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
    const bool full = report.total() >= share.size() || !report.outdated.empty();
    return full ? Batch::full : Batch::partial;
}

}  // namespace scheduler
