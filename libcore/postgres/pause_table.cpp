#include "libcore/postgres/pause_table.hpp"

namespace postgres {

namespace {

constexpr Statement current{"current_pause", R"sql(
    SELECT reason, paused_by, since, until FROM delivery_pause WHERE until IS NULL OR until > app_now())sql",
                            Access::read};

constexpr Statement pause{"pause_deliveries", R"sql(
    WITH clock AS MATERIALIZED (SELECT app_now() AS now),
    paused AS (
        INSERT INTO delivery_pause AS p (reason, paused_by, since, until)
        SELECT $2, $1, clock.now, $3::timestamptz FROM clock WHERE $3 IS NULL OR $3 > clock.now
        ON CONFLICT (single) DO UPDATE SET
            reason = excluded.reason, paused_by = excluded.paused_by, until = excluded.until,
            since = CASE WHEN p.until <= excluded.since THEN excluded.since ELSE p.since END
        RETURNING reason, paused_by, since, until
    ), noted AS (
        INSERT INTO audit_log (actor, action, subject, detail)
        SELECT paused_by, 'deliveries paused', 'deliveries', jsonb_build_object('reason', reason, 'until', until)
        FROM paused
    )
    SELECT reason, paused_by, since, until FROM paused)sql"};

constexpr Statement resume{"resume_deliveries", R"sql(
    WITH ended AS (
        DELETE FROM delivery_pause RETURNING since, until IS NULL OR until > app_now() AS held
    ), noted AS (
        INSERT INTO audit_log (actor, action, subject, detail)
        SELECT $1, 'deliveries resumed', 'deliveries', jsonb_build_object('reason', $2::text, 'paused_since', since)
        FROM ended WHERE held
    )
    SELECT FROM ended WHERE held)sql"};

domain::Pause decode(const Row& row) {
    return {.reason = row.get<std::string>(0),
            .by = row.get<std::string>(1),
            .since = row.get<domain::Instant>(2),
            .until = row.get<std::optional<domain::Instant>>(3)};
}

}  // namespace

std::optional<domain::Pause> current_pause(Pool& pool) {
    const Rows rows = pool.run(current);
    if (rows.empty()) return std::nullopt;
    return decode(rows.front());
}

domain::Result<domain::Pause> pause_deliveries(Pool& pool, std::string_view actor, std::string_view reason,
                                               const std::optional<domain::Instant>& until) {
    const Rows rows = pool.run(pause, actor, reason, until);
    if (rows.empty()) return domain::Error{"in_the_past", "until", "must lie in the future"};
    return decode(rows.front());
}

bool resume_deliveries(Pool& pool, std::string_view actor, const std::optional<std::string>& reason) {
    return !pool.run(resume, actor, reason).empty();
}

}  // namespace postgres
