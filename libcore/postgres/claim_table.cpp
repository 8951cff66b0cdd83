#include "libcore/postgres/claim_table.hpp"

#include <algorithm>
#include <iterator>

#include "libcore/killpoint/killpoint.hpp"
#include "libcore/postgres/key_life.hpp"
#include "libcore/postgres/transaction.hpp"

namespace postgres {

namespace {

// Each hint is looked up by itself, in the order of the locks: joined, a plan that was kept from an empty
// ledger would read all of a month. Lock, then look: by key alone, so that this waits for a dispatcher that
// has published and not committed yet. And in a statement of its own: after a wait, one statement would
// compare the new row with the user of before the wait.
constexpr Statement lock_hinted{"lock_hinted", R"sql(
    SELECT m.id, m.delivery_date, m.user_id, clock_timestamp() - (m.lease_until - $6::interval),
           m.status = 'QUEUED' AND m.attempt = hint.attempt, (SELECT deliveries_paused())
    FROM (SELECT * FROM unnest($1::uuid[], $2::date[], $3::integer[]) AS h(id, delivery_date, attempt)
          ORDER BY delivery_date, id) AS hint
    CROSS JOIN LATERAL (
        SELECT id, delivery_date, user_id, lease_until, status, attempt FROM message_logs
        WHERE id = hint.id AND delivery_date = hint.delivery_date AND delivery_date BETWEEN $4 AND $5
        FOR NO KEY UPDATE
    ) AS m)sql"};

// Only what is in doubt is asked for the age of its key.
constexpr Statement claim_locked{"claim_locked", R"sql(
    WITH ready AS MATERIALIZED (
        SELECT m.id, m.delivery_date, u.email, clock.now,
               clock.now > greatest(m.scheduled_send_time, m.replayed_for) + t.max_lateness AS too_late,
               )sql" KEY_EXPIRED("$6") R"sql( AS key_expired,
               coalesce(m.message_content,
                        render(CASE WHEN t.late_template IS NOT NULL AND local_date(clock.now, m.timezone) > m.delivery_date
                                    THEN t.late_template ELSE t.template END,
                               u.first_name, u.last_name, m.delivery_date, kept.date)) AS content
        FROM unnest($1::uuid[], $2::date[]) AS locked(id, delivery_date)
        CROSS JOIN LATERAL (
            SELECT * FROM message_logs
            WHERE id = locked.id AND delivery_date = locked.delivery_date AND delivery_date BETWEEN $3 AND $4
            OFFSET 0
        ) AS m
        CROSS JOIN LATERAL (
            SELECT email, first_name, last_name, users AS person FROM users
            WHERE id = m.user_id AND plan_version = m.plan_version AND deleted_at IS NULL AND NOT opted_out
            OFFSET 0
        ) AS u
        JOIN message_types t ON t.name = m.message_type AND t.version = m.type_version AND t.deleted_at IS NULL
        LEFT JOIN LATERAL (
            SELECT o.date FROM occasions_of(u.person) AS o
            WHERE o.message_type = m.message_type AND falls_on(o.date, o.one_off, m.delivery_date, t.leap_day)
            ORDER BY o.date
            LIMIT 1
        ) AS kept ON true
        CROSS JOIN (SELECT app_now() AS now) AS clock
    ), judged AS (
        SELECT *, too_late OR key_expired AS ends FROM ready
    )
    UPDATE message_logs m SET
        status = CASE WHEN NOT r.ends THEN 'SENDING' WHEN m.in_doubt THEN 'UNKNOWN' ELSE 'MISSED' END,
        attention_at = CASE WHEN r.ends THEN r.now END,
        attempt = m.attempt + 1,
        lease_until = clock_timestamp() + $5::interval,
        recipient_email = CASE WHEN r.ends THEN m.recipient_email ELSE coalesce(m.recipient_email, r.email) END,
        message_content = CASE WHEN r.ends THEN m.message_content ELSE r.content END,
        error_message = CASE WHEN r.key_expired AND NOT r.too_late
                             THEN 'the provider may no longer know its key' ELSE m.error_message END,
        updated_at = r.now
    FROM judged r
    WHERE m.id = r.id AND m.delivery_date = r.delivery_date AND m.delivery_date BETWEEN $3 AND $4
    RETURNING m.id, m.delivery_date, m.attempt, m.message_type, m.idempotency_key, m.recipient_email,
              m.message_content, m.trace, m.failures, m.in_doubt, r.ends, r.too_late)sql"};

constexpr Statement fail_unrenderable{"fail_unrenderable", R"sql(
    UPDATE message_logs SET status = 'FAILED', attempt = attempt + 1, attention_at = app_now(),
           error_message = left($4, 1000), updated_at = app_now()
    WHERE id = $1 AND delivery_date = $2 AND attempt = $3 AND status = 'QUEUED')sql"};

constexpr Statement give_back{"give_back", R"sql(
    UPDATE message_logs m SET status = 'RETRYING', due_at = clock.now + $5::interval, updated_at = clock.now
    FROM unnest($1::uuid[], $2::date[], $3::integer[]) AS held(id, delivery_date, attempt),
         (SELECT app_now() AS now) AS clock
    WHERE m.id = held.id AND m.delivery_date = held.delivery_date AND m.attempt = held.attempt AND m.status = $4)sql"};

template <class Range>
auto ids_of(const Range& held) {
    std::vector<domain::Uuid> ids;
    ids.reserve(held.size());
    for (const auto& one : held) ids.push_back(one.message_id);
    return ids;
}

template <class Range>
auto dates_of(const Range& held) {
    std::vector<domain::Date> dates;
    dates.reserve(held.size());
    for (const auto& one : held) dates.push_back(one.delivery_date);
    return dates;
}

template <class Range>
auto attempts_of(const Range& held) {
    std::vector<int> attempts;
    attempts.reserve(held.size());
    for (const auto& one : held) attempts.push_back(one.attempt);
    return attempts;
}

struct Locked {
    domain::Uuid id;
    domain::Date date;
    domain::Uuid user;
    std::optional<std::chrono::microseconds> since_last_try;
};

struct Look {
    std::vector<Locked> rows;
    bool paused = false;  ///< as the transaction sees it: nothing may be claimed
};

Look lock(Transaction& transaction, std::span<const domain::Delivery> hints,
          std::chrono::milliseconds lease) {
    const auto dates = dates_of(hints);
    const auto [first, last] = std::ranges::minmax(dates);
    Look look;
    const Rows rows =
        transaction.run(lock_hinted, ids_of(hints), dates, attempts_of(hints), first, last, lease);
    for (const Row row : rows) {
        look.paused = row.get<bool>(5);
        if (!row.get<bool>(4)) continue;
        look.rows.push_back({row.get<domain::Uuid>(0), row.get<domain::Date>(1), row.get<domain::Uuid>(2),
                             row.get<std::optional<std::chrono::microseconds>>(3)});
    }
    return look;
}

Claimed decode_claimed(const Row& row) {
    return {.message_id = row.get<domain::Uuid>(0),
            .delivery_date = row.get<domain::Date>(1),
            .attempt = row.get<int>(2),
            .message_type = row.get<std::string>(3),
            .idempotency_key = row.get<std::string>(4),
            .recipient_email = row.get<std::string>(5),
            .content = row.get<std::string>(6),
            .trace = row.get<std::string>(7),
            .failures = row.get<int>(8),
            .in_doubt = row.get<bool>(9),
            .since_last_try = {}};
}

// Takes from `locked` those that were claimed or missed; what remains is outdated.
void claim_rows(Transaction& transaction, std::vector<Locked>& locked, const Terms& terms,
                ClaimReport& report) {
    std::vector<domain::Uuid> ids;
    std::vector<domain::Date> dates;
    for (const Locked& row : locked) {
        ids.push_back(row.id);
        dates.push_back(row.date);
    }
    const auto [first, last] = std::ranges::minmax(dates);
    for (const Row row :
         transaction.run(claim_locked, ids, dates, first, last, terms.lease, terms.key_life)) {
        const auto id = row.get<domain::Uuid>(0);
        const auto found = std::ranges::find(locked, id, &Locked::id);
        if (row.get<bool>(10)) {
            ++(row.get<bool>(11) ? report.missed : report.key_expired);
        } else {
            report.claimed.push_back(decode_claimed(row));
            report.claimed.back().since_last_try = found->since_last_try;
        }
        std::swap(*found, locked.back());
        locked.pop_back();
    }
}

template <class Range>
int give_back_rows(Transaction& transaction, const Range& held, const char* status,
                   std::chrono::milliseconds delay) {
    const int given_back =
        transaction.run(give_back, ids_of(held), dates_of(held), attempts_of(held), status, delay).affected();
    KILLPOINT("give_back.marked");
    return given_back;
}

ClaimReport claim_together(Pool& pool, std::span<const domain::Delivery> hints, const Terms& terms) {
    return transact(pool, [&](Transaction& transaction) {
        ClaimReport report;
        auto [locked, paused] = lock(transaction, hints, terms.lease);
        if (locked.empty()) return report;
        if (paused) {
            report.given_back = give_back_rows(transaction, hints, "QUEUED", {});
            return report;
        }
        KILLPOINT("claim.locked");
        claim_rows(transaction, locked, terms, report);
        KILLPOINT("claim.marked");
        for (const Locked& row : locked) report.outdated.push_back({row.id, row.user});
        return report;
    });
}

ClaimReport claim_one(Pool& pool, const domain::Delivery& hint, const Terms& terms) {
    try {
        return claim_together(pool, std::span(&hint, 1), terms);
    } catch (const DatabaseError& error) {
        if (!error.is_data_error()) throw;
        pool.run(fail_unrenderable, hint.message_id, hint.delivery_date, hint.attempt, error.what());
        ClaimReport report;
        report.unrenderable.push_back(hint.message_id);
        return report;
    }
}

// One row that cannot be rendered or stays locked must not stop the others. What is claimed is told in any
// case, even if the database goes away on the way: from then on the hints count as blocked.
ClaimReport claim_singly(Pool& pool, std::span<const domain::Delivery> hints, const Terms& terms) {
    // Each may wait for the lock timeout.
    constexpr std::size_t patience = 4;
    ClaimReport report;
    for (const domain::Delivery& hint : hints) {
        if (report.blocked.size() >= patience) {
            report.blocked.push_back(hint);
            continue;
        }
        try {
            ClaimReport one = claim_one(pool, hint, terms);
            std::ranges::move(one.claimed, std::back_inserter(report.claimed));
            std::ranges::move(one.outdated, std::back_inserter(report.outdated));
            report.missed += one.missed;
            report.key_expired += one.key_expired;
            std::ranges::move(one.unrenderable, std::back_inserter(report.unrenderable));
            report.given_back += one.given_back;
        } catch (const DatabaseError&) {
            report.blocked.push_back(hint);
        }
    }
    return report;
}

}  // namespace

ClaimReport claim(Pool& pool, std::span<const domain::Delivery> hints, const Terms& terms) {
    if (hints.empty()) return {};
    try {
        return claim_together(pool, hints, terms);
    } catch (const DatabaseError& error) {
        if (!error.is_data_error() && !error.is_lock_timeout()) throw;
    }
    return claim_singly(pool, hints, terms);
}

int give_back_hints(Pool& pool, std::span<const domain::Delivery> hints, std::chrono::milliseconds delay) {
    if (hints.empty()) return 0;
    return transact(pool, [&](Transaction& transaction) {
        lock(transaction, hints, {});
        return give_back_rows(transaction, hints, "QUEUED", delay);
    });
}

int give_back_claims(Pool& pool, std::span<const Claimed> claims, std::chrono::milliseconds delay) {
    if (claims.empty()) return 0;
    return transact(pool, [&](Transaction& transaction) {
        return give_back_rows(transaction, claims, "SENDING", delay);
    });
}

}  // namespace postgres
