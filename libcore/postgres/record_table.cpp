#include "libcore/postgres/record_table.hpp"

#include <algorithm>
#include <optional>
#include <string_view>

#include "libcore/killpoint/killpoint.hpp"
#include "libcore/postgres/transaction.hpp"

namespace postgres {

namespace {

constexpr Statement record{"record_outcomes", R"sql(
    WITH outcome AS MATERIALIZED (
        SELECT * FROM unnest($1::uuid[], $2::date[], $3::integer[], $4::text[], $5::interval[], $6::smallint[],
                             $7::boolean[], $8::smallint[], $9::text[], $10::text[],
                             $11::timestamptz[], $12::timestamptz[])
            AS o(id, delivery_date, attempt, status, delay, failures, in_doubt, http_status, body, error,
                 started_at, finished_at)
    ), changed AS (
        UPDATE message_logs m SET
            status = o.status,
            due_at = CASE WHEN o.status = 'RETRYING' THEN clock.now + o.delay END,
            attention_at = CASE WHEN o.status IN ('FAILED', 'UNKNOWN') THEN clock.now END,
            failures = o.failures,
            in_doubt = m.in_doubt OR o.in_doubt,
            actual_send_time = CASE WHEN o.status = 'SENT' THEN clock.now END,
            api_response_code = o.http_status,
            api_response_body = o.body,
            error_message = o.error,
            updated_at = clock.now
        FROM outcome o, (SELECT app_now() AS now) AS clock
        WHERE m.id = o.id AND m.delivery_date = o.delivery_date AND m.delivery_date BETWEEN $13 AND $14
          AND (m.status = 'SENDING' AND m.attempt = o.attempt
               OR o.status = 'SENT' AND m.attempt >= o.attempt AND o.attempt > coalesce(m.forced_attempt, 0)
                  AND m.status IN ('SCHEDULED', 'QUEUED', 'SENDING', 'RETRYING', 'UNKNOWN'))
        RETURNING m.id, m.status, clock.now - greatest(m.scheduled_send_time, m.replayed_for) AS lateness,
                  m.rescues > 0 AS was_rescued
    ), attempts AS (
        INSERT INTO delivery_attempts (message_id, delivery_date, attempt, started_at, finished_at, outcome,
                                       http_status, error, in_doubt)
        SELECT id, delivery_date, attempt, started_at, finished_at, status, http_status, error, in_doubt
        FROM outcome
        WHERE status <> 'CANCELLED'
          AND (status <> 'SENT' OR attempt > 1 OR id IN (SELECT id FROM changed WHERE was_rescued))
        -- What rescue thought of it.
        ON CONFLICT (message_id, attempt) DO UPDATE SET
            started_at = excluded.started_at, finished_at = excluded.finished_at, outcome = excluded.outcome,
            http_status = excluded.http_status, error = excluded.error, in_doubt = excluded.in_doubt
    )
    SELECT id, status, lateness FROM changed)sql"};

domain::Status status_of(domain::Ending ending) {
    switch (ending) {
        case domain::Ending::sent:
            return domain::Status::sent;
        case domain::Ending::retrying:
            return domain::Status::retrying;
        case domain::Ending::failed:
            return domain::Status::failed;
        case domain::Ending::unknown:
            return domain::Status::unknown;
        case domain::Ending::suppressed:
            return domain::Status::cancelled;
    }
    std::abort();
}

std::optional<std::string_view> unless_empty(const std::string& text) {
    if (text.empty()) return std::nullopt;
    return text;
}

// The attempts turned on their side: one array a column.
struct Columns {
    explicit Columns(std::span<const Attempted> attempts) {
        for (const Attempted& a : attempts) {
            ids.push_back(a.message_id);
            dates.push_back(a.delivery_date);
            numbers.push_back(a.attempt);
            statuses.push_back(to_string(status_of(a.outcome.ending)));
            delays.push_back(a.outcome.delay);
            failures.push_back(a.outcome.failures);
            in_doubt.push_back(a.outcome.in_doubt);
            http_statuses.push_back(a.http_status == 0 ? std::nullopt : std::optional(a.http_status));
            bodies.push_back(unless_empty(a.body));
            errors.push_back(unless_empty(a.error));
            started.push_back(a.started_at);
            finished.push_back(a.finished_at);
        }
    }

    std::vector<domain::Uuid> ids;
    std::vector<domain::Date> dates;
    std::vector<int> numbers;
    std::vector<std::string_view> statuses;
    std::vector<std::chrono::milliseconds> delays;
    std::vector<int> failures;
    std::vector<bool> in_doubt;
    std::vector<std::optional<int>> http_statuses;
    std::vector<std::optional<std::string_view>> bodies;
    std::vector<std::optional<std::string_view>> errors;
    std::vector<domain::Instant> started;
    std::vector<domain::Instant> finished;
};

std::vector<Recorded> record_together(Pool& pool, std::span<const Attempted> attempts) {
    const Columns c(attempts);
    const auto [first, last] = std::ranges::minmax(c.dates);
    const Rows rows = transact(pool, [&](Transaction& transaction) {
        Rows changed =
            transaction.run(record, c.ids, c.dates, c.numbers, c.statuses, c.delays, c.failures, c.in_doubt,
                            c.http_statuses, c.bodies, c.errors, c.started, c.finished, first, last);
        KILLPOINT("record.marked");
        return changed;
    });
    std::vector<Recorded> recorded;
    recorded.reserve(static_cast<std::size_t>(rows.size()));
    for (const Row row : rows) {
        recorded.push_back({.message_id = row.get<domain::Uuid>(0),
                            .status = *domain::parse_status(row.get<std::string_view>(1)),
                            .lateness = row.get<std::chrono::microseconds>(2)});
    }
    return recorded;
}

// Of two outcomes of one message a statement would take any.
bool is_about_one_twice(std::span<const Attempted> attempts) {
    std::vector<domain::Uuid> ids;
    ids.reserve(attempts.size());
    for (const Attempted& attempt : attempts) ids.push_back(attempt.message_id);
    std::ranges::sort(ids);
    return std::ranges::adjacent_find(ids) != ids.end();
}

// A success is recorded before another attempt's failure could end the row.
std::vector<Attempted> successes_first(std::span<const Attempted> attempts) {
    std::vector<Attempted> ordered(attempts.begin(), attempts.end());
    std::ranges::stable_partition(
        ordered, [](const Attempted& attempt) { return attempt.outcome.ending == domain::Ending::sent; });
    return ordered;
}

// The ledger refused what the provider answered: keep the outcome, without the provider's words.
Attempted without_texts(Attempted attempt) {
    attempt.body.clear();
    attempt.error = "the answer could not be stored";
    return attempt;
}

}  // namespace

std::vector<Recorded> record_outcomes(Pool& pool, std::span<const Attempted> attempts) {
    if (attempts.empty()) return {};
    try {
        if (!is_about_one_twice(attempts)) return record_together(pool, attempts);
    } catch (const DatabaseError& error) {
        if (!error.is_data_error()) throw;
    }
    std::vector<Recorded> recorded;
    for (const Attempted& attempt : successes_first(attempts)) {
        std::vector<Recorded> one;
        try {
            one = record_together(pool, std::span(&attempt, 1));
        } catch (const DatabaseError& error) {
            if (!error.is_data_error()) throw;
            const Attempted bare = without_texts(attempt);
            one = record_together(pool, std::span(&bare, 1));
        }
        std::ranges::move(one, std::back_inserter(recorded));
    }
    return recorded;
}

}  // namespace postgres
