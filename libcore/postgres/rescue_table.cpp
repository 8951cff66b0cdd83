#include "libcore/postgres/rescue_table.hpp"

#include "libcore/killpoint/killpoint.hpp"
#include "libcore/postgres/transaction.hpp"

namespace postgres {

namespace {

// A batch is kept as long as one of its rows is in flight, and shrunk to those that are: a row that was taken
// back is found through its next batch only. Leases go by real time, whatever the clock of the ledger does.
constexpr Statement rescue_batches{"rescue_batches", R"sql(
    WITH batch AS MATERIALIZED (
        SELECT id, ids, dates, at < clock_timestamp() - $2::interval AND $3 AS lost
        FROM dispatches
        WHERE at < clock_timestamp() - $1::interval AND looked_at < clock_timestamp() - $7::interval
        ORDER BY looked_at
        LIMIT $6
        FOR UPDATE SKIP LOCKED
    ), in_flight AS MATERIALIZED (
        SELECT b.id AS batch, m.id, m.delivery_date, b.lost
        FROM batch b
        CROSS JOIN LATERAL unnest(b.ids, b.dates) AS member(id, delivery_date)
        JOIN message_logs m ON m.id = member.id AND m.delivery_date = member.delivery_date
        WHERE m.status IN ('QUEUED', 'SENDING')
    ), expired AS (
        UPDATE message_logs m SET
            status = CASE WHEN $4 OR m.rescues >= $5 THEN 'UNKNOWN' ELSE 'RETRYING' END,
            due_at = CASE WHEN $4 OR m.rescues >= $5 THEN NULL ELSE clock.now END,
            attention_at = CASE WHEN $4 OR m.rescues >= $5 THEN clock.now END,
            error_message = 'the worker was lost during the attempt',
            rescues = m.rescues + 1,
            in_doubt = true,
            updated_at = clock.now
        FROM in_flight f, (SELECT app_now() AS now) AS clock
        WHERE m.id = f.id AND m.delivery_date = f.delivery_date
          AND m.status = 'SENDING' AND m.lease_until < clock_timestamp()
        RETURNING m.id, m.delivery_date, m.status, m.attempt, m.lease_until, m.error_message
    ), remembered AS (
        -- From then on the provider may know the key.
        INSERT INTO delivery_attempts (message_id, delivery_date, attempt, started_at, finished_at, outcome, error,
                                       in_doubt)
        SELECT id, delivery_date, attempt, lease_until - $1::interval, clock_timestamp(), status, error_message, true
        FROM expired
        ON CONFLICT DO NOTHING
    ), requeued AS (
        UPDATE message_logs m SET
            status = CASE WHEN m.attempt = 0 THEN 'SCHEDULED' ELSE 'RETRYING' END,
            due_at = clock.now,
            updated_at = clock.now
        FROM in_flight f, (SELECT app_now() AS now) AS clock
        WHERE f.lost AND m.id = f.id AND m.delivery_date = f.delivery_date AND m.status = 'QUEUED'
        RETURNING m.id, m.delivery_date
    ), remaining AS (
        SELECT f.batch, array_agg(f.id) AS ids, array_agg(f.delivery_date) AS dates
        FROM in_flight f
        WHERE NOT EXISTS (SELECT FROM expired e WHERE e.id = f.id)
          AND NOT EXISTS (SELECT FROM requeued r WHERE r.id = f.id)
        GROUP BY f.batch
    ), shrunk AS (
        UPDATE dispatches d SET ids = r.ids, dates = r.dates, looked_at = clock_timestamp()
        FROM remaining r
        WHERE d.id = r.batch
    ), finished AS (
        DELETE FROM dispatches d USING batch b
        WHERE d.id = b.id AND NOT EXISTS (SELECT FROM remaining r WHERE r.batch = b.id)
    )
    SELECT (SELECT count(*) FROM expired WHERE status = 'RETRYING'),
           (SELECT count(*) FROM expired WHERE status = 'UNKNOWN'),
           (SELECT count(*) FROM requeued),
           (SELECT count(*) FROM batch))sql"};

}  // namespace

RescueReport rescue(Pool& pool, const RescuePolicy& policy) {
    return transact(pool, [&](Transaction& transaction) {
        const Rows rows = transaction.run(rescue_batches, policy.lease, policy.lost_after,
                                          policy.queue_is_shallow, policy.in_doubt == domain::InDoubt::park,
                                          policy.max_rescues, policy.batches, policy.look_every);
        const Row row = rows.front();
        const RescueReport report{.retried = row.get<int>(0),
                                  .parked = row.get<int>(1),
                                  .requeued = row.get<int>(2),
                                  .batches = row.get<int>(3)};
        if (report.taken_back() > 0) KILLPOINT("rescue.marked");
        return report;
    });
}

}  // namespace postgres
