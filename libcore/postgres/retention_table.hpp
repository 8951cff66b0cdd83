// How long the ledger is kept, and how it stands: its months, and the statistics PostgreSQL plans by.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "libcore/domain/time.hpp"
#include "libcore/postgres/pool.hpp"
#include "libcore/postgres/transaction.hpp"

namespace postgres {

/// Asked between the steps of what takes long: false ends it there, for another time.
using GoOn = std::function<bool()>;

/// The right to keep house, until the end of this: one process of all has it.
class Turn {
public:
    explicit Turn(Pool& pool);
    bool mine() const { return mine_; }

private:
    Lease lease_;
    Transaction transaction_;
    bool mine_;
};

/// Months by their first days.
struct RetentionReport {
    std::vector<domain::Date> dropped;
    std::vector<domain::Date> unfinished;  ///< past their time, and kept: messages in them are not final
    bool locked = false;                   ///< long transactions were in the way: to be tried again
    bool complete = false;                 ///< there was no more to do
};

/// How far the month before a drop has been read; a later call goes on from there.
struct RetentionScan {
    domain::Date month{};
    std::int64_t page = 0;
};

/// Drops the months before the newest `months` whole ones that hold no message which is not final, then
/// forgets, in chunks, the attempts of those messages and the plan runs of that time. Whoever uses the ledger
/// waits 100 ms a month at most. `months` is 3 or more: planning reaches 62 days back.
RetentionReport apply_retention(Pool& pool, int months, RetentionScan& scan, const GoOn& go_on);

/// Gives statistics to months and users that have rows and none, or ten times as many, before autovacuum
/// does; returns how many. Plans that sessions keep are made anew by that.
int analyze_filled_tables(Pool& pool, const GoOn& go_on);

/// Brings those of the whole ledger up to date, which autovacuum never does, if they are a day old.
void analyze_ledger(Pool& pool);

struct LedgerSize {
    int partitions = 0;
    std::int64_t bytes = 0;  ///< with its indexes
};

LedgerSize ledger_size(Pool& pool);

/// A month of the ledger. Counts of messages end at 100,000.
struct PartitionReport {
    domain::Date month;                 ///< its first day
    std::string state;                  ///< attached, pending detach, detached
    std::int64_t rows = 0;              ///< estimated
    std::int64_t bytes = 0;             ///< with its indexes
    std::optional<domain::Date> first;  ///< of the instants in it, in UTC
    std::optional<domain::Date> last;
    int waiting = 0;       ///< SCHEDULED, RETRYING
    int in_flight = 0;     ///< QUEUED, SENDING
    int attention = 0;     ///< FAILED, MISSED, UNKNOWN
    bool expired = false;  ///< older than what is kept
};

/// `months` as for retention; 0 keeps everything.
std::vector<PartitionReport> report_partitions(Pool& pool, int months);

/// The first day that retention keeps.
domain::Date kept_from(Pool& pool, int months);

}  // namespace postgres
