#include "services/scheduler/guardian.hpp"

#include "libcore/postgres/dispatch_table.hpp"
#include "libcore/postgres/plan_table.hpp"
#include "libcore/runtime/log.hpp"

namespace scheduler {

using namespace std::chrono_literals;

Guardian::Guardian(postgres::Pool& pool, runtime::Registry& registry)
    : pool_(pool),
      partitions_ahead_(registry.gauge("partitions_ahead", "Whole months ahead whose partition exists")),
      due_(registry.gauge("messages_due", "Messages that wait for a dispatcher now, counted up to 100000")),
      oldest_due_(
          registry.gauge("messages_oldest_due_seconds", "How long the first of them has been waiting")) {}

std::chrono::milliseconds Guardian::run_once() {
    // Before, too: where none can be made, readiness has to see the months run out.
    look_at_partitions();
    if (const int made = postgres::ensure_partitions(pool_); made > 0) {
        runtime::log::info("made partitions", {{"partitions", made}});
        look_at_partitions();
    }
    const auto backlog = postgres::due_backlog(pool_);
    due_.Set(backlog.due);
    oldest_due_.Set(std::chrono::duration<double>(backlog.oldest_due).count());
    return 5s;
}

void Guardian::look_at_partitions() {
    partitions_ = postgres::partitions_ahead(pool_);
    partitions_ahead_.Set(partitions_);
}

}  // namespace scheduler
