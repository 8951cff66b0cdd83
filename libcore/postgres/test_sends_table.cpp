#include "libcore/postgres/test_sends_table.hpp"

#include <string>

namespace postgres {

namespace {

#define TEST_SEND_COLUMNS(status)                                  \
    " id, message_type, recipient_email, message_content, " status \
    ", api_response_code, error_message, created_at, "             \
    "finished_at"

// Eight years ahead, for 29 February around a century's end.
constexpr Statement insert_statement{"test_send_insert", R"sql(
    WITH sample AS (
        SELECT t.name, coalesce(CASE WHEN $9 THEN t.late_template END, t.template) AS template,
               coalesce(kept.day, clock.today) AS day,
               coalesce($7::date, (clock.today - make_interval(years => $8))::date) AS occasion
        FROM message_types t
        CROSS JOIN (SELECT (app_now() AT TIME ZONE 'UTC')::date AS today) AS clock
        LEFT JOIN LATERAL (
            SELECT clock.today + n AS day FROM generate_series(0, 8 * 366) n
            WHERE falls_on($7, false, clock.today + n, t.leap_day)
            ORDER BY n
            LIMIT 1
        ) AS kept ON true
        WHERE t.name = $3 AND t.deleted_at IS NULL
    ), inserted AS (
        INSERT INTO test_sends (id, message_type, recipient_email, message_content)
        SELECT $1, s.name, $4, render(s.template, $5, $6, s.day, s.occasion)
        FROM sample s
        WHERE (SELECT count(*) FROM test_sends
               WHERE status = 'PENDING' AND created_at >= clock_timestamp() - interval '1 day') < 100
        RETURNING)sql" TEST_SEND_COLUMNS("status") R"sql(
    ), noted AS (
        INSERT INTO audit_log (actor, action, subject, detail)
        SELECT $2, 'test message requested', id::text, jsonb_build_object('message_type', message_type) FROM inserted
    )
    SELECT i.* FROM sample LEFT JOIN inserted i ON true)sql"};

constexpr Statement find_statement{
    "test_send_find", "SELECT" TEST_SEND_COLUMNS(
                          "CASE WHEN status = 'SENDING' AND lease_until < clock_timestamp() THEN 'UNKNOWN' "
                          "ELSE status END") " FROM test_sends "
                          "WHERE id = $1 AND created_at >= clock_timestamp() - interval '1 day'", Access::read};

constexpr Statement take_statement{"test_send_take", R"sql(
    WITH clock AS MATERIALIZED (
        SELECT clock_timestamp() - interval '1 day' AS yesterday, deliveries_paused() AS paused
    ), forgotten AS (
        DELETE FROM test_sends t USING clock WHERE t.created_at < clock.yesterday
    ), next AS MATERIALIZED (
        SELECT t.id
        FROM test_sends t
        WHERE t.status = 'PENDING' AND t.created_at >= (SELECT yesterday FROM clock WHERE NOT paused)
        ORDER BY t.created_at
        LIMIT 1
        FOR UPDATE SKIP LOCKED
    )
    UPDATE test_sends SET status = 'SENDING', lease_until = clock_timestamp() + $1::interval
    WHERE id = (SELECT id FROM next)
    RETURNING)sql" TEST_SEND_COLUMNS("status")};

constexpr Statement finish_statement{"test_send_finish", R"sql(
    UPDATE test_sends SET status = $2, api_response_code = nullif($3, 0), error_message = nullif(left($4, 1000), ''),
           finished_at = clock_timestamp()
    WHERE id = $1 AND status = 'SENDING')sql"};

domain::TestSend decode(const Row& row) {
    return {.id = row.get<domain::Uuid>(0),
            .message_type = row.get<std::string>(1),
            .recipient_email = row.get<std::string>(2),
            .message_content = row.get<std::string>(3),
            .status = row.get<std::string>(4),
            .api_response_code = row.get<std::optional<int>>(5),
            .error_message = row.get<std::optional<std::string>>(6),
            .created_at = row.get<domain::Instant>(7),
            .finished_at = row.get<std::optional<domain::Instant>>(8)};
}

std::optional<domain::TestSend> first_of(const Rows& rows) {
    if (rows.empty()) return std::nullopt;
    return decode(rows.front());
}

const char* status_of(domain::Ending ending) {
    switch (ending) {
        case domain::Ending::sent:
            return "SENT";
        case domain::Ending::unknown:
            return "UNKNOWN";
        default:
            return "FAILED";
    }
}

}  // namespace

std::optional<domain::Result<domain::TestSend>> insert_test_send(Pool& pool, const domain::Uuid& id,
                                                                 std::string_view actor,
                                                                 std::string_view message_type,
                                                                 const domain::Sample& sample) {
    try {
        const Rows rows = pool.run(insert_statement, id, actor, message_type, sample.email, sample.first_name,
                                   sample.last_name, sample.date, sample.years, sample.late);
        if (rows.empty()) return std::nullopt;
        if (rows.front().is_null(0)) {
            return domain::Error{"too_many_pending", "", "A hundred test messages wait to be sent already."};
        }
        return decode(rows.front());
    } catch (const DatabaseError& error) {
        if (!error.is_check_violation("test_sends_message_content_check")) throw;
        return domain::Error{"too_long", "", "The text would be longer than 10000 characters."};
    }
}

std::optional<domain::TestSend> find_test_send(Pool& pool, const domain::Uuid& id) {
    return first_of(pool.run(find_statement, id));
}

std::optional<domain::TestSend> take_test_send(Pool& pool, std::chrono::milliseconds lease) {
    return first_of(pool.run(take_statement, lease));
}

void finish_test_send(Pool& pool, const domain::Uuid& id, domain::Ending ending, int http_status,
                      std::string_view error) {
    pool.run(finish_statement, id, status_of(ending), http_status, error);
}

}  // namespace postgres
