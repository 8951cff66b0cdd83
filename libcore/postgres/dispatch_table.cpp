#include "libcore/postgres/dispatch_table.hpp"

#include <vector>

#include "libcore/postgres/transaction.hpp"

namespace postgres {

namespace {

static_assert(largest_dispatch == 500);
// It stands there as a number: with a parameter alone every batch was planned anew, as no
// plan made for any limit looked as cheap. Locks are taken for as many rows as `$1` lets be read. A batch's
// traces are one random number and those that follow it.
constexpr Statement take_due{"take_due", R"sql(
    WITH clock AS MATERIALIZED (
        SELECT app_now() AS now, deliveries_paused() AS paused,
               left(replace(gen_random_uuid()::text, '-', ''), 24) AS first_digits
    ), picked AS MATERIALIZED (
        SELECT * FROM (
            SELECT m.id, m.delivery_date, m.message_type, m.type_version, m.in_doubt,
                   greatest(m.scheduled_send_time, m.replayed_for) AS late_from
            FROM message_logs m
            WHERE m.due_at <= (SELECT now FROM clock WHERE NOT paused) AND m.status IN ('SCHEDULED', 'RETRYING')
            ORDER BY m.due_at
            LIMIT 500
            FOR UPDATE SKIP LOCKED
        ) AS first
        LIMIT $1
    ), judged AS (
        SELECT p.id, p.delivery_date, clock.now,
               clock.first_digits || lpad(to_hex(row_number() OVER ()), 8, '0') AS trace,
               CASE WHEN t.version = p.type_version THEN t.paused_until ELSE clock.now + $2::interval END AS wait_until,
               CASE
                   WHEN t.version IS DISTINCT FROM p.type_version THEN 'outdated'
                   WHEN clock.now > p.late_from + t.max_lateness
                       THEN CASE WHEN p.in_doubt THEN 'UNKNOWN' ELSE 'MISSED' END
                   WHEN t.paused_until > clock.now THEN 'postponed'
                   ELSE 'QUEUED'
               END AS verdict
        FROM picked p
        LEFT JOIN message_types t ON t.name = p.message_type AND t.deleted_at IS NULL
        CROSS JOIN clock
    ), moved AS (
        UPDATE message_logs m SET
            status = CASE WHEN j.verdict IN ('outdated', 'postponed') THEN m.status ELSE j.verdict END,
            due_at = CASE WHEN j.verdict IN ('outdated', 'postponed') THEN j.wait_until END,
            attention_at = CASE WHEN j.verdict IN ('MISSED', 'UNKNOWN') THEN j.now END,
            trace = coalesce(m.trace, j.trace),
            updated_at = j.now
        FROM judged j
        WHERE m.id = j.id AND m.delivery_date = j.delivery_date
        RETURNING m.id, m.delivery_date, m.attempt, m.trace, j.verdict, m.user_id
    ), noted AS (
        INSERT INTO dispatches (ids, dates)
        SELECT array_agg(id), array_agg(delivery_date) FROM moved WHERE verdict = 'QUEUED'
        HAVING count(*) > 0
    )
    SELECT id, delivery_date, attempt, trace, verdict, user_id FROM moved)sql"};

// What is outdated makes room for what is behind it. Replanned, a first attempt is back at once.
constexpr auto outdated_wait = std::chrono::seconds(5);

// The first entry of each month's index.
constexpr Statement next_due{"next_due", R"sql(
    SELECT CASE WHEN next.due_at <= clock.now THEN interval '0'
                ELSE least(next.due_at - clock.now, interval '1 hour') / nullif(coalesce(scaled.factor, 1), 0) END
    FROM (SELECT m.due_at FROM message_logs m WHERE m.due_at IS NOT NULL ORDER BY m.due_at LIMIT 1) AS next
    CROSS JOIN (SELECT app_now() AS now) AS clock
    LEFT JOIN app_clock AS scaled ON true
    WHERE NOT (SELECT deliveries_paused()))sql",
                             Access::read};

constexpr Statement count_due{"count_due", R"sql(
    SELECT count(*), coalesce(max(now - due_at), '0')
    FROM (SELECT clock.now, m.due_at
          FROM (SELECT app_now() AS now) clock JOIN message_logs m ON m.due_at <= clock.now
          LIMIT 100000) AS due)sql",
                              Access::read};

}  // namespace

DispatchReport dispatch(Pool& pool, int limit, const Publish& publish) {
    DispatchReport report;
    std::vector<domain::Delivery> deliveries;
    const Lease lease = pool.lease();
    Transaction transaction(*lease);
    for (const Row row : transaction.run(take_due, limit, outdated_wait)) {
        const auto verdict = row.get<std::string_view>(4);
        if (verdict == "QUEUED") {
            deliveries.push_back({.message_id = row.get<domain::Uuid>(0),
                                  .delivery_date = row.get<domain::Date>(1),
                                  .attempt = row.get<int>(2),
                                  .trace = row.get<std::string>(3)});
        }
        if (verdict == "outdated") {
            report.outdated.push_back(row.get<domain::Uuid>(5));
            continue;
        }
        ++(verdict == "QUEUED"      ? report.queued
           : verdict == "postponed" ? report.postponed
           : verdict == "MISSED"    ? report.missed
                                    : report.unknown);
    }
    if (!deliveries.empty()) publish(deliveries);
    transaction.commit();
    return report;
}

std::optional<std::chrono::microseconds> time_to_next_due(Pool& pool) {
    const Rows rows = pool.run(next_due);
    if (rows.empty()) return std::nullopt;
    return rows.front().get<std::optional<std::chrono::microseconds>>(0);
}

Backlog due_backlog(Pool& pool) {
    const Rows rows = pool.run(count_due);
    return {.due = rows.front().get<int>(0), .oldest_due = rows.front().get<std::chrono::microseconds>(1)};
}

}  // namespace postgres
