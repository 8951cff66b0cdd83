#include "services/scheduler/rescuer.hpp"

#include <algorithm>
#include <utility>

#include "libcore/killpoint/killpoint.hpp"
#include "libcore/runtime/log.hpp"

namespace scheduler {

using namespace std::chrono_literals;

namespace {

// Longer than a worker's recorder waits between two attempts.
constexpr auto pause_after_outage = 1s;

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
      requeued_(rescued(registry, "hint_lost")) {
    policy_.look_every =
        std::clamp(policy_.lease / 10, std::chrono::milliseconds(100), std::chrono::milliseconds(3s));
}

std::chrono::milliseconds Rescuer::run_once() {
    // After an outage of the database the workers go first: they may hold the outcome of what looks
    // abandoned.
    if (std::exchange(failed_, true)) {
        failed_ = false;
        return pause_after_outage;
    }
    policy_.queue_is_shallow = queue_is_shallow_();
    const auto report = postgres::rescue(pool_, policy_);
    failed_ = false;
    if (report.taken_back() > 0) KILLPOINT("rescue.committed");
    retried_.Increment(report.retried);
    parked_.Increment(report.parked);
    requeued_.Increment(report.requeued);
    if (report.taken_back() > 0) {
        runtime::log::warn(
            "took back messages",
            {{"lease_expired", report.retried}, {"parked", report.parked}, {"hint_lost", report.requeued}});
    }
    return report.batches == policy_.batches ? 0ms : policy_.look_every;
}

}  // namespace scheduler
