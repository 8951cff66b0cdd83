#include "libcore/postgres/retention_table.hpp"

namespace postgres {

namespace {

constexpr Statement take_turn{"housekeeping_turn",
                              "SELECT pg_try_advisory_xact_lock(hashtext('housekeeping'))"};

constexpr Statement expired_partitions{
    "expired_partitions", "SELECT month, pages, unfinished FROM expired_partitions($1)", Access::read};

constexpr Statement find_unfinished{"find_unfinished", "SELECT find_unfinished($1, $2, $3)", Access::read};

constexpr Statement drop_partition{"drop_partition", "SELECT drop_partition($1, $2)"};

constexpr Statement forget_attempts{"forget_attempts", "SELECT forget_attempts($1, $2)"};

constexpr Statement forget_plan_runs{"forget_plan_runs", "SELECT forget_plan_runs($1, $2)"};

constexpr Statement analyze_one{"analyze_filled_table", "SELECT analyze_filled_table()"};

constexpr Statement wants_analyze{"ledger_wants_analyze", "SELECT ledger_wants_analyze()", Access::read};

// Only what questions are asked by: all columns take three times as long.
constexpr auto analyze_script =
    "ANALYZE message_logs (user_id, message_type, delivery_date, timezone, scheduled_send_time, due_at, "
    "attention_at, status)";

constexpr Statement size{"ledger_size", R"sql(
    SELECT count(*), coalesce(sum(pg_total_relation_size(inhrelid)), 0)::bigint
    FROM pg_inherits WHERE inhparent = 'message_logs'::regclass)sql",
                         Access::read};

constexpr Statement report{"partition_report", R"sql(
    SELECT month, state, rows, bytes, (first_instant AT TIME ZONE 'UTC')::date, (last_instant AT TIME ZONE 'UTC')::date,
           waiting, in_flight, attention, expired
    FROM partition_report($1))sql",
                           Access::read};

constexpr Statement kept{"kept_from", "SELECT kept_from($1)", Access::read};

// 128 MB: a fraction of a second, some seconds from a slow disk.
constexpr std::int64_t pages_per_step = 16'384;
constexpr int rows_per_step = 5'000;

// Whether any of its messages is not final; nothing, if told to stop before that is known.
std::optional<bool> read_all(Pool& pool, const domain::Date& month, std::int64_t pages, RetentionScan& scan,
                             const GoOn& go_on) {
    if (scan.month != month) scan = {month, 0};
    for (; scan.page < pages; scan.page += pages_per_step) {
        if (!go_on()) return std::nullopt;
        if (pool.run(find_unfinished, month, scan.page, pages_per_step).front().get<bool>(0)) {
            scan = {};
            return true;
        }
    }
    return false;
}

// Steps of one transaction each, so that nobody ever waits for long; false if told to stop.
bool forget(Pool& pool, const Statement& statement, int months, const GoOn& go_on) {
    while (go_on()) {
        if (pool.run(statement, months, rows_per_step).front().get<int>(0) == 0) return true;
    }
    return false;
}

}  // namespace

Turn::Turn(Pool& pool)
    : lease_(pool.lease()), transaction_(*lease_), mine_(transaction_.run(take_turn).front().get<bool>(0)) {}

RetentionReport apply_retention(Pool& pool, int months, RetentionScan& scan, const GoOn& go_on) {
    RetentionReport report;
    for (const Row row : pool.run(expired_partitions, months)) {
        const auto month = row.get<domain::Date>(0);
        auto unfinished = std::optional(row.get<bool>(2));
        if (!*unfinished) unfinished = read_all(pool, month, row.get<std::int64_t>(1), scan, go_on);
        if (!unfinished) return report;
        try {
            const bool gone = !*unfinished && pool.run(drop_partition, month, months).front().get<bool>(0);
            (gone ? report.dropped : report.unfinished).push_back(month);
        } catch (const DatabaseError& error) {
            if (!error.is_lock_timeout()) throw;
            report.locked = true;
            return report;
        }
    }
    report.complete =
        forget(pool, forget_attempts, months, go_on) && forget(pool, forget_plan_runs, months, go_on);
    return report;
}

int analyze_filled_tables(Pool& pool, const GoOn& go_on) {
    constexpr int at_most = 100;  // one that may not be analyzed would come up for ever
    int analyzed = 0;
    while (analyzed < at_most && go_on() && pool.run(analyze_one).front().get<bool>(0)) ++analyzed;
    return analyzed;
}

void analyze_ledger(Pool& pool) {
    if (!pool.run(wants_analyze).front().get<bool>(0)) return;
    try {
        pool.lease()->execute(analyze_script, "analyze_ledger");
    } catch (const DatabaseError& error) {
        // The parent comes first and is committed by itself; its partitions have autovacuum.
        if (!error.timed_out()) throw;
    }
}

LedgerSize ledger_size(Pool& pool) {
    const Rows rows = pool.run(size);
    return {.partitions = rows.front().get<int>(0), .bytes = rows.front().get<std::int64_t>(1)};
}

std::vector<PartitionReport> report_partitions(Pool& pool, int months) {
    std::vector<PartitionReport> partitions;
    for (const Row row : pool.run(report, months)) {
        partitions.push_back({.month = row.get<domain::Date>(0),
                              .state = row.get<std::string>(1),
                              .rows = row.get<std::int64_t>(2),
                              .bytes = row.get<std::int64_t>(3),
                              .first = row.get<std::optional<domain::Date>>(4),
                              .last = row.get<std::optional<domain::Date>>(5),
                              .waiting = row.get<int>(6),
                              .in_flight = row.get<int>(7),
                              .attention = row.get<int>(8),
                              .expired = row.get<bool>(9)});
    }
    return partitions;
}

domain::Date kept_from(Pool& pool, int months) {
    return pool.run(kept, months).front().get<domain::Date>(0);
}

}  // namespace postgres
