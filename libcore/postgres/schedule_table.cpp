#include "libcore/postgres/schedule_table.hpp"

#include "libcore/postgres/message_columns.hpp"
#include "libcore/postgres/transaction.hpp"

namespace postgres {

namespace {

constexpr Statement select_now{"planning_time", "SELECT app_now()", Access::read};

constexpr Statement select_user{"schedule_user", R"sql(
    SELECT clock.now, clock.now + make_interval(years => $2), u.timezone, u.opted_out, is_known_zone(u.timezone),
           EXISTS (SELECT FROM occasions_of(u))
    FROM users u CROSS JOIN (SELECT app_now() AS now) AS clock
    WHERE u.id = $1 AND u.deleted_at IS NULL)sql",
                                Access::read};

constexpr Statement select_schedule{"user_schedule", R"sql(
    SELECT s.message_type, s.delivery_date, s.timezone,
           to_char(s.scheduled_send_time AT TIME ZONE s.timezone, 'YYYY-MM-DD"T"HH24:MI:SS'), s.scheduled_send_time,
           utc_offset(s.scheduled_send_time, s.timezone), s.civil_rule, s.years, s.message_id, s.status
    FROM users u CROSS JOIN LATERAL user_schedule(u, $2) AS s
    WHERE u.id = $1
      AND ($3::timestamptz IS NULL
           OR (s.scheduled_send_time, s.message_type COLLATE "C", s.delivery_date) > ($3, $4, $5::date))
    ORDER BY s.scheduled_send_time, s.message_type COLLATE "C", s.delivery_date
    LIMIT $6)sql",
                                    Access::read};

constexpr Statement select_holds{"schedule_holds", R"sql(
    SELECT 'deliveries_paused', NULL::text, p.until FROM delivery_pause p WHERE p.until IS NULL OR p.until > app_now()
    UNION ALL
    (SELECT 'type_paused', t.name, t.paused_until FROM message_types t
     WHERE t.paused_until > app_now() AND t.deleted_at IS NULL AND ($2::text IS NULL OR t.name = $2)
       AND ($1::uuid IS NULL OR EXISTS (SELECT FROM users u CROSS JOIN LATERAL occasions_of(u) AS o
                                        WHERE u.id = $1 AND o.message_type = t.name))
     ORDER BY t.name
     LIMIT 100))sql",
                                 Access::read};

constexpr Statement type_exists{
    "schedule_type", "SELECT EXISTS (SELECT FROM message_types WHERE name = $1 AND deleted_at IS NULL)",
    Access::read};

constexpr Statement limit_time{"schedule_limit", "SELECT set_config('statement_timeout', $1, true)"};

constexpr Statement select_minutes{"due_page", R"sql(
    SELECT minute, utc_offset, message_type, messages FROM due_page($1, $2, $3, $4, $5, $6, $7))sql",
                                   Access::read};

constexpr Statement select_totals{"due_totals", "SELECT message_type, messages FROM due_totals($1, $2, $3)",
                                  Access::read};

domain::ComingMessage read_coming(const Row& row) {
    std::optional<domain::PlannedAs> planned;
    if (!row.is_null(8)) {
        planned = {row.get<domain::Uuid>(8), read_status(row.get<std::string_view>(9))};
    }
    return {.message_type = row.get<std::string>(0),
            .delivery_date = row.get<domain::Date>(1),
            .timezone = row.get<std::string>(2),
            .local_time = row.get<std::string>(3),
            .scheduled_send_time = row.get<domain::Instant>(4),
            .utc_offset = row.get<std::string>(5),
            .civil_rule = row.get<std::optional<std::string>>(6),
            .years = row.get<std::optional<int>>(7),
            .planned = planned};
}

void add_pauses(Transaction& transaction, std::vector<domain::Hold>& holds,
                const std::optional<domain::Uuid>& user, const std::optional<std::string>& message_type) {
    for (const Row row : transaction.run(select_holds, user, message_type)) {
        holds.push_back({row.get<std::string>(0), row.get<std::optional<std::string>>(1),
                         row.get<std::optional<domain::Instant>>(2)});
    }
}

/// Ends the next question before the caller's time is up: then it is known that it takes too long.
void limit_next(Transaction& transaction, std::chrono::milliseconds longest, Deadline deadline) {
    constexpr std::chrono::milliseconds to_answer(500), least(1);
    const auto left =
        std::chrono::floor<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    const auto limit = std::clamp(left - std::min(left / 2, to_answer), least, longest);
    transaction.run(limit_time, std::to_string(limit.count()));
}

Preview read_preview(Transaction& transaction, const PreviewQuery& query, Deadline deadline) {
    Preview preview;
    add_pauses(transaction, preview.holds, std::nullopt, query.message_type);
    limit_next(transaction, query.longest, deadline);
    std::optional<domain::Instant> minute;
    std::optional<std::string> utc_offset, message_type;
    if (query.after) {
        minute = query.after->minute;
        utc_offset = query.after->utc_offset;
        message_type = query.after->message_type;
    } else {
        preview.totals.emplace();
        for (const Row row : transaction.run(select_totals, query.from, query.to, query.message_type))
            preview.totals->push_back({row.get<std::string>(0), row.get<std::int64_t>(1)});
        limit_next(transaction, query.longest, deadline);
    }
    for (const Row row : transaction.run(select_minutes, query.from, query.to, query.message_type, minute,
                                         utc_offset, message_type, query.limit)) {
        preview.minutes.push_back({row.get<domain::Instant>(0), row.get<std::string>(1),
                                   row.get<std::string>(2), row.get<std::int64_t>(3)});
    }
    return preview;
}

}  // namespace

domain::Instant planning_time(Pool& pool) {
    return pool.run(select_now).front().get<domain::Instant>(0);
}

std::optional<UserSchedule> schedule_of_user(Pool& pool, const UserScheduleQuery& query) {
    return transact(pool, [&](Transaction& transaction) -> std::optional<UserSchedule> {
        const auto users = transaction.run(select_user, query.user_id, query.years);
        if (users.empty()) return std::nullopt;
        const Row user = users.front();
        UserSchedule schedule{.from = user.get<domain::Instant>(0),
                              .to = user.get<domain::Instant>(1),
                              .timezone = user.get<std::string>(2),
                              .messages = {},
                              .holds = {}};
        if (user.get<bool>(3)) schedule.holds.push_back({"opted_out"});
        if (!user.get<bool>(4)) schedule.holds.push_back({"unknown_timezone"});
        if (!user.get<bool>(5)) schedule.holds.push_back({"no_dates"});
        add_pauses(transaction, schedule.holds, query.user_id, std::nullopt);

        std::optional<domain::Instant> instant;
        std::optional<std::string> message_type;
        std::optional<domain::Date> date;
        if (query.after) {
            instant = query.after->scheduled_send_time;
            message_type = query.after->message_type;
            date = query.after->delivery_date;
        }
        for (const Row row : transaction.run(select_schedule, query.user_id, schedule.to, instant,
                                             message_type, date, query.limit))
            schedule.messages.push_back(read_coming(row));
        return schedule;
    });
}

domain::Result<Preview> preview(Pool& pool, const PreviewQuery& query) {
    using Outcome = domain::Result<Preview>;
    try {
        return transact(pool, [&](Transaction& transaction) -> Outcome {
            if (query.message_type && !transaction.run(type_exists, *query.message_type).front().get<bool>(0))
                return domain::Error{"unknown_message_type", "messageType", "is not a message type"};
            return read_preview(transaction, query, pool.deadline());
        });
    } catch (const PoolExhausted&) {
        throw;  // it was not asked at all
    } catch (const DatabaseError& error) {
        if (!error.timed_out() || error.got_no_answer()) throw;
        return domain::Error{"too_slow", "to", "is too far ahead to be counted in time"};
    }
}

}  // namespace postgres
