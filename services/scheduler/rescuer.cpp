#include "services/scheduler/rescuer.hpp"

#include <algorithm>

#include "libcore/runtime/log.hpp"

namespace scheduler {

using namespace std::chrono_literals;

namespace {

prometheus::Counter& rescued(runtime::Registry& registry, const char* what) {
    return registry.counter("messages_rescued_total", "Messages taken back after a crash", {{"what", what}});
}

}  // namespace

Rescuer::Rescuer(postgres::Pool& pool, runtime::Registry& registry, const postgres::RescuePolicy& policy,
                 std::function<bool()> queue_is_shallow)
    : pool_(pool),
      policy_(policy),
      queue_is_shallow_(std::move(queue_is_shallow)),
      retried_(rescued(registry, "lease_expired")),
      parked_(rescued(registry, "parked")),
      requeued_(rescued(registry, "hint_lost")) {}

std::chrono::milliseconds Rescuer::run_once() {
    policy_.queue_is_shallow = queue_is_shallow_();
    const auto report = postgres::rescue(pool_, policy_);
    retried_.Increment(report.retried);
    parked_.Increment(report.parked);
    requeued_.Increment(report.requeued);
    if (report.retried + report.parked + report.requeued > 0) {
        runtime::log::warn(
            "took back messages",
            {{"lease_expired", report.retried}, {"parked", report.parked}, {"hint_lost", report.requeued}});
    }
    return std::clamp(policy_.lease / 10, std::chrono::milliseconds(100), std::chrono::milliseconds(3s));
}

}  // namespace scheduler
