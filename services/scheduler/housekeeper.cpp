#include "services/scheduler/housekeeper.hpp"

#include <algorithm>

#include "libcore/runtime/log.hpp"

namespace scheduler {

using namespace std::chrono_literals;

namespace {

// How long a session may plan as if a month that was just filled were empty.
constexpr auto look_every = 10s;
constexpr auto retain_every = 1h;
// Those who want the ledger have waited for it once; they are spared for a while.
constexpr auto pause_after_lock = 10min;
// Nothing begins later in a round, so that one which hangs can be told from a long one.
constexpr auto longest_round = 20s;

}  // namespace

Housekeeper::Housekeeper(postgres::Pool& pool, runtime::Registry& registry, int retention,
                         std::stop_token stop)
    : pool_(pool),
      retention_(retention),
      stop_(std::move(stop)),
      partitions_(registry.gauge("ledger_partitions", "Months of the ledger")),
      bytes_(registry.gauge("ledger_bytes", "Size of the ledger with its indexes")),
      unfinished_(registry.gauge("partitions_unfinished",
                                 "Months past RETENTION_MONTHS that are kept for messages not final")),
      dropped_(registry.counter("partitions_dropped_total", "Months dropped by this process")) {}

std::chrono::milliseconds Housekeeper::run_once() {
    const auto size = postgres::ledger_size(pool_);
    partitions_.Set(size.partitions);
    bytes_.Set(static_cast<double>(size.bytes));

    const postgres::Turn turn(pool_);
    if (!turn.mine()) return look_every;
    const auto now = Clock::now();
    const auto go_on = [&] { return !stop_.stop_requested() && Clock::now() - now < longest_round; };
    postgres::analyze_filled_tables(pool_, go_on);
    if (now >= next_analysis_) {
        next_analysis_ = now + retain_every;
        postgres::analyze_ledger(pool_);
    }
    if (retention_ == 0 || now < next_retention_) return look_every;
    const auto wait = retain(go_on);
    next_retention_ = now + wait;
    return std::min(wait, std::chrono::milliseconds(look_every));
}

std::chrono::milliseconds Housekeeper::retain(const postgres::GoOn& go_on) {
    const auto report = postgres::apply_retention(pool_, retention_, scan_, go_on);
    for (const domain::Date& month : report.dropped) {
        dropped_.Increment();
        runtime::log::info("dropped a month", {{"month", domain::to_string(month)}});
    }
    for (const domain::Date& month : report.unfinished) {
        runtime::log::warn("a month is kept past its time: messages in it are not final",
                           {{"month", domain::to_string(month)}});
    }
    if (report.locked) {
        runtime::log::warn("a month could not be dropped: a long transaction uses the ledger",
                           {{"retry_in_ms", std::chrono::milliseconds(pause_after_lock).count()}});
        return pause_after_lock;
    }
    if (!report.complete) return 0ms;
    unfinished_.Set(static_cast<double>(report.unfinished.size()));
    return retain_every;
}

}  // namespace scheduler
