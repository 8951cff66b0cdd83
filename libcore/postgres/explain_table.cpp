#include "libcore/postgres/explain_table.hpp"

#include <algorithm>

#include "libcore/postgres/message_columns.hpp"
#include "libcore/postgres/transaction.hpp"

namespace postgres {

namespace {

// One snapshot. Planned anew each time, and by index: a plan made while a partition was empty would read all
// of it later.
constexpr const char* one_snapshot =
    "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL plan_cache_mode = "
    "force_custom_plan; "
    "SET LOCAL enable_seqscan = off; SET LOCAL jit = off";

// The primary key of every partition is probed: the message's date is not known.
constexpr Statement select_history{"message_history", "SELECT" MESSAGE_COLUMNS R"sql(,
           app_now(), m.created_at, m.updated_at, m.attention_at, ledger_time(m.lease_until), m.rescues,
           m.api_response_body,
           coalesce(local_date(m.actual_send_time, m.timezone) > m.delivery_date, false),
           t.version IS DISTINCT FROM m.type_version OR coalesce(u.plan_version <> m.plan_version, false),
           elapsed(t.max_lateness), t.paused_until, p.since IS NOT NULL, p.until,
           u.plan_changed_at, t.rules_changed_at
    FROM message_logs m
    LEFT JOIN message_types t ON t.name = m.message_type AND t.deleted_at IS NULL
    LEFT JOIN users u ON u.id = m.user_id
    LEFT JOIN delivery_pause p ON p.until IS NULL OR p.until > app_now()
    WHERE m.id = $1)sql",
                                   Access::read};

constexpr Statement find_by_key{"message_by_key", R"sql(
    SELECT id FROM message_logs
    WHERE user_id = $1 AND message_type = $2 AND delivery_date = $3)sql",
                                Access::read};

constexpr int listed_attempts = 50;

constexpr Statement select_attempts{"message_attempts", R"sql(
    SELECT attempt, ledger_time(started_at), ledger_time(finished_at), outcome, http_status, error
    FROM delivery_attempts WHERE message_id = $1 AND delivery_date = $2
    ORDER BY attempt DESC
    LIMIT $3)sql",
                                    Access::read};

constexpr Statement count_attempts{
    "message_attempts_count",
    "SELECT count(*) FROM delivery_attempts WHERE message_id = $1 AND delivery_date = $2", Access::read};

constexpr Statement select_holds{"message_holds", R"sql(
    SELECT everything, since, until, actor, reason FROM holds_of($1)
    WHERE (until IS NULL OR until > $2) AND since < $3)sql",
                                 Access::read};

constexpr int listed_interventions = 20;

constexpr Statement select_interventions{"message_interventions", R"sql(
    SELECT ledger_time(at), action = 'message replayed', actor, coalesce(detail->>'reason', ''), coalesce(detail->>'was', '')
    FROM audit_log
    WHERE subject = idempotency_key($1, $2, $3) AND action IN ('message replayed', 'message cancelled')
    ORDER BY id DESC
    LIMIT $4)sql",
                                         Access::read};

constexpr Statement select_removals{"message_removals", R"sql(
    SELECT ledger_time(at), (detail->>'scheduled_send_time')::timestamptz
    FROM audit_log WHERE subject = idempotency_key($1, $2, $3) AND action = 'message removed'
    ORDER BY id DESC
    LIMIT 5)sql",
                                    Access::read};

// A condition of the join would not keep a function beside it from being asked about an unknown zone.
constexpr Statement select_day{"day_facts", R"sql(
    SELECT app_now(), u.timezone, is_known_zone(u.timezone), u.opted_out, u.created_at, u.plan_changed_at, u.deleted_at,
           t.name IS NOT NULL, t.created_at, t.rules_changed_at, t.deleted_at, coalesce(t.leap_day, ''),
           coalesce(t.gap_rule, ''), sending.instant, sending.planned_from,
           NOT is_owed(t, u.timezone, $3, sending.instant),
           f.day, EXISTS (SELECT FROM partitions p
                   WHERE p.month <= $3 AND $3 < p.next_month AND p.state = 'attached')
    FROM users u
    LEFT JOIN message_types t ON t.name = $2
    LEFT JOIN LATERAL (
        SELECT civil.instant + spread_offset(u.id, t.spread) AS instant,
               ($3::date + t.send_at) AT TIME ZONE known.zone - interval '26 hours' AS planned_from
        FROM (SELECT CASE WHEN is_known_zone(u.timezone) THEN u.timezone END AS zone) AS known,
             civil_time($3::date, t.send_at, known.zone, t.gap_rule, t.fold_rule) AS civil
    ) AS sending ON t.name IS NOT NULL
    LEFT JOIN first_unplanned f ON f.message_type = $2 AND f.timezone = u.timezone
    WHERE u.id = $1)sql",
                               Access::read};

constexpr Statement select_occasions{"day_occasions", R"sql(
    SELECT o.date, o.one_off, falls_on(o.date, o.one_off, $3::date, t.leap_day),
           kept_on(o.date, o.one_off, date_part('year', $3::date)::integer, t.leap_day)
    FROM users u CROSS JOIN LATERAL occasions_of(u) AS o JOIN message_types t ON t.name = o.message_type
    WHERE u.id = $1 AND o.message_type = $2
    ORDER BY o.date
    LIMIT 1000)sql",
                                     Access::read};

constexpr Statement select_others{"day_other_messages", "SELECT" MESSAGE_COLUMNS R"sql(
    FROM message_logs m
    WHERE m.user_id = $1 AND m.delivery_date BETWEEN $3::date - 366 AND $3::date + 366
      AND m.message_type = $2 AND m.delivery_date <> $3
    ORDER BY abs(m.delivery_date - $3::date), m.delivery_date
    LIMIT 5)sql",
                                  Access::read};

using domain::Instant;

domain::MessageHistory read_history(const Row& row) {
    constexpr int next = message_columns;
    return {.message = read_message(row),
            .now = row.get<Instant>(next),
            .planned_at = row.get<Instant>(next + 1),
            .changed_at = row.get<Instant>(next + 2),
            .attention_at = row.get<std::optional<Instant>>(next + 3),
            .lease_until = row.get<std::optional<Instant>>(next + 4),
            .rescues = row.get<int>(next + 5),
            .response_body = row.get<std::optional<std::string>>(next + 6),
            .after_the_day = row.get<bool>(next + 7),
            .outdated = row.get<bool>(next + 8),
            .max_lateness = row.get<std::optional<std::chrono::microseconds>>(next + 9),
            .type_paused_until = row.get<std::optional<Instant>>(next + 10),
            .everything_paused = row.get<bool>(next + 11),
            .everything_paused_until = row.get<std::optional<Instant>>(next + 12),
            .user_changed_at = row.get<std::optional<Instant>>(next + 13),
            .type_rules_changed_at = row.get<std::optional<Instant>>(next + 14),
            .attempts = {},
            .holds = {},
            .removals = {},
            .interventions = {}};
}

std::vector<domain::Removal> read_removals(Transaction& transaction, const domain::Uuid& user,
                                           std::string_view type, const domain::Date& day) {
    std::vector<domain::Removal> removals;
    for (const Row row : transaction.run(select_removals, user, type, day))
        removals.push_back({row.get<Instant>(0), row.get<std::optional<Instant>>(1)});
    return removals;
}

void read_attempts(Transaction& transaction, domain::MessageHistory& history) {
    const auto& message = history.message;
    for (const Row row :
         transaction.run(select_attempts, message.id, message.delivery_date, listed_attempts)) {
        history.attempts.push_back({.number = row.get<int>(0),
                                    .started_at = row.get<Instant>(1),
                                    .finished_at = row.get<Instant>(2),
                                    .outcome = row.get<std::string>(3),
                                    .http_status = row.get<std::optional<int>>(4),
                                    .error = row.get<std::optional<std::string>>(5)});
    }
    std::ranges::reverse(history.attempts);
    if (history.attempts.size() < listed_attempts) return;
    const Rows count = transaction.run(count_attempts, message.id, message.delivery_date);
    history.earlier_attempts = count.front().get<int>(0) - listed_attempts;
}

/// Reads what stands beside the row.
domain::MessageHistory completed(Transaction& transaction, domain::MessageHistory history) {
    const auto& message = history.message;
    const auto end = message.actual_send_time.value_or(history.attention_at.value_or(history.now));
    read_attempts(transaction, history);
    for (const Row row :
         transaction.run(select_holds, message.message_type, message.scheduled_send_time, end)) {
        history.holds.push_back({.everything = row.get<bool>(0),
                                 .since = row.get<Instant>(1),
                                 .until = row.get<std::optional<Instant>>(2),
                                 .by = row.get<std::string>(3),
                                 .reason = row.get<std::string>(4)});
    }
    for (const Row row : transaction.run(select_interventions, message.user_id, message.message_type,
                                         message.delivery_date, listed_interventions)) {
        history.interventions.push_back({.at = row.get<Instant>(0),
                                         .replay = row.get<bool>(1),
                                         .by = row.get<std::string>(2),
                                         .reason = row.get<std::string>(3),
                                         .was = row.get<std::string>(4)});
    }
    std::ranges::reverse(history.interventions);
    history.removals =
        read_removals(transaction, message.user_id, message.message_type, message.delivery_date);
    return history;
}

std::optional<domain::MessageHistory> find_history(Transaction& transaction, const domain::Uuid& id) {
    const Rows rows = transaction.run(select_history, id);
    if (rows.empty()) return std::nullopt;
    return completed(transaction, read_history(rows.front()));
}

domain::DayFacts read_day(const Row& row, std::string_view type, const domain::Date& day) {
    return {.now = row.get<Instant>(0),
            .type = std::string(type),
            .day = day,
            .timezone = row.get<std::string>(1),
            .zone_known = row.get<bool>(2),
            .opted_out = row.get<bool>(3),
            .user_created_at = row.get<Instant>(4),
            .user_changed_at = row.get<Instant>(5),
            .user_deleted_at = row.get<std::optional<Instant>>(6),
            .type_exists = row.get<bool>(7),
            .type_created_at = row.get<std::optional<Instant>>(8).value_or(Instant()),
            .type_rules_changed_at = row.get<std::optional<Instant>>(9).value_or(Instant()),
            .type_deleted_at = row.get<std::optional<Instant>>(10),
            .leap_day = row.get<std::string>(11),
            .gap_rule = row.get<std::string>(12),
            .occasions = {},
            .instant = row.get<std::optional<Instant>>(13),
            .within_horizon_at = row.get<std::optional<Instant>>(14),
            .planned = row.get<bool>(15),
            .first_unplanned = row.get<std::optional<domain::Date>>(16),
            .month_is_kept = row.get<bool>(17),
            .removal = {}};
}

}  // namespace

std::optional<domain::MessageHistory> message_history(Pool& pool, const domain::Uuid& id) {
    return transact(pool, [&](Transaction& transaction) {
        transaction.execute(one_snapshot, "one_snapshot");
        return find_history(transaction, id);
    });
}

std::optional<DayHistory> day_history(Pool& pool, const domain::Uuid& user_id, std::string_view type,
                                      const domain::Date& day) {
    return transact(pool, [&](Transaction& transaction) -> std::optional<DayHistory> {
        transaction.execute(one_snapshot, "one_snapshot");
        const Rows rows = transaction.run(select_day, user_id, type, day);
        if (rows.empty()) return std::nullopt;
        DayHistory history{.facts = read_day(rows.front(), type, day), .message = {}, .others = {}};
        const Rows found = transaction.run(find_by_key, user_id, type, day);
        if (!found.empty()) history.message = find_history(transaction, found.front().get<domain::Uuid>(0));
        for (const Row row : transaction.run(select_others, user_id, type, day))
            history.others.push_back(read_message(row));
        if (history.message) return history;
        for (const Row row : transaction.run(select_occasions, user_id, type, day)) {
            history.facts.occasions.push_back({.date = row.get<domain::Date>(0),
                                               .one_off = row.get<bool>(1),
                                               .kept = row.get<bool>(2),
                                               .kept_on = row.get<std::optional<domain::Date>>(3)});
        }
        const auto removals = read_removals(transaction, user_id, type, day);
        if (!removals.empty()) history.facts.removal = removals.front();
        return history;
    });
}

}  // namespace postgres
