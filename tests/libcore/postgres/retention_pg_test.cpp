#include "libcore/postgres/retention_table.hpp"

#include <catch2/catch.hpp>

#include "tests/libcore/postgres/ledger.hpp"
#include "tests/support/eventually.hpp"

namespace {

constexpr auto always = [] { return true; };
const domain::Date october = 2025y / 10 / 1;
const domain::Date november = 2025y / 11 / 1;
const domain::Date december = 2025y / 12 / 1;

/// At 27 February 2027, with the months from October 2025 to January 2026, and those around the clock's.
struct OldLedger : Ledger {
    OldLedger() {
        execute("SELECT ensure_partitions(date '2025-10-01', date '2026-01-01')");
        CHECK(oldest() == "2025_10");
    }

    std::string oldest() {
        return value<std::string>(
            "SELECT right(min(name::text), 7) FROM partitions WHERE state = 'attached'");
    }

    domain::Uuid put(const std::string& day, const std::string& status) {
        static constexpr postgres::Statement insert{"put_old", R"(
            INSERT INTO message_logs (id, user_id, message_type, delivery_date, plan_version, type_version, timezone,
                                      scheduled_send_time, due_at, attention_at, status, created_at, updated_at)
            SELECT uuid_v7(), uuid_v7(), 'BIRTHDAY', day, 1, 1, 'UTC', day + time '09:00',
                   CASE WHEN s IN ('SCHEDULED', 'RETRYING') THEN day + time '09:00' END,
                   CASE WHEN s IN ('FAILED', 'MISSED', 'UNKNOWN') THEN day + time '09:00' END, s, day, day
            FROM (SELECT $1::date AS day, $2::text AS s) AS of
            RETURNING id)"};
        return pool.run(insert, day, status).front().get<domain::Uuid>(0);
    }

    postgres::RetentionReport retain(int months = 13) {
        postgres::RetentionScan scan;
        return postgres::apply_retention(pool, months, scan, always);
    }

    int message_count(const domain::Uuid& id) {
        return value<int>("SELECT count(*) FROM message_logs WHERE id = $1", id);
    }

    int count(const std::string& what) { return value<int>("SELECT count(*) FROM " + what); }
};

}  // namespace

TEST_CASE("the months before the thirteen last whole ones are dropped with all that ended in them") {
    OldLedger ledger;
    for (const std::string status : {"SENT", "FAILED", "CANCELLED", "MISSED", "UNKNOWN"})
        ledger.put("2025-12-31", status);
    ledger.put("2026-01-01", "SENT");
    const auto report = ledger.retain();
    CHECK(report.complete);
    CHECK(report.dropped == std::vector{october, november, december});
    CHECK(report.unfinished.empty());
    CHECK(ledger.oldest() == "2026_01");
    CHECK(ledger.count_by_status() == std::map<std::string, int>{{"SENT", 1}});
    // Nothing of it comes back, nor is there more to do.
    CHECK(postgres::ensure_partitions(ledger.pool) == 0);
    CHECK(ledger.retain().dropped.empty());
}

TEST_CASE("a month with a message that is not final is never dropped") {
    OldLedger ledger;
    const std::string status = GENERATE("SCHEDULED", "QUEUED", "SENDING", "RETRYING");
    const auto id = ledger.put("2025-11-10", status);
    const auto report = ledger.retain();
    CHECK(report.dropped == std::vector{october, december});
    CHECK(report.unfinished == std::vector{november});
    CHECK(ledger.message_count(id) == 1);
}

TEST_CASE("a message that comes back to life after its month was read keeps the month") {
    OldLedger ledger;
    ledger.put("2025-11-10", "FAILED");
    const std::string change = GENERATE(
        // Replayed by a person.
        "UPDATE message_logs SET status = 'SCHEDULED', due_at = app_now(), attention_at = NULL",
        // And published meanwhile.
        "UPDATE message_logs SET status = 'QUEUED', attention_at = NULL;"
        "INSERT INTO dispatches (ids, dates) SELECT array_agg(id), array_agg(delivery_date) FROM "
        "message_logs");
    ledger.execute(change);
    CHECK_FALSE(ledger.value<bool>("SELECT drop_partition($1, 13)", november));
    CHECK(ledger.value<bool>("SELECT drop_partition($1, 13)", october));
    CHECK(ledger.count("message_logs") == 1);
}

TEST_CASE("a month that is not old enough is not dropped whoever asks") {
    OldLedger ledger;
    CHECK_FALSE(ledger.value<bool>("SELECT drop_partition('2026-01-01', 13)"));
    CHECK(ledger.value<bool>("SELECT drop_partition('2026-01-01', 12)"));
}

TEST_CASE("a month is not dropped while a transaction that may change its messages is open") {
    OldLedger ledger;
    ledger.put("2025-11-10", "FAILED");
    auto person = ledger.database.connection();
    person.execute(
        "BEGIN; UPDATE message_logs SET status = 'SCHEDULED', due_at = app_now(), attention_at = NULL");
    const auto refused = ledger.retain();
    CHECK(refused.locked);
    CHECK(refused.dropped.empty());
    CHECK_FALSE(refused.complete);
    person.execute("COMMIT");
    const auto report = ledger.retain();
    CHECK(report.unfinished == std::vector{november});
    CHECK(report.dropped == std::vector{october, december});
    CHECK(ledger.count_by_status() == std::map<std::string, int>{{"SCHEDULED", 1}});
}

TEST_CASE("the reading of a month that was told to stop goes on where it was") {
    OldLedger ledger;
    ledger.put("2025-10-10", "SENT");
    postgres::RetentionScan scan;
    const auto stopped = postgres::apply_retention(ledger.pool, 13, scan, [] { return false; });
    CHECK_FALSE(stopped.complete);
    CHECK(stopped.dropped.empty());
    CHECK(scan.month == october);
    CHECK(scan.page == 0);
    // As if it had been read up to here: what is before is not read again.
    const auto id = ledger.put("2025-10-11", "QUEUED");
    scan.page = 16'384;
    CHECK(postgres::apply_retention(ledger.pool, 13, scan, always).dropped.front() == october);
    CHECK(ledger.message_count(id) == 0);
}

TEST_CASE("months that planning may still reach are kept, so that none is made and dropped in turn") {
    Ledger ledger;
    ledger.people_due(1);
    ledger.execute("UPDATE app_clock SET base = '2028-06-05T00:00Z'");
    postgres::ensure_partitions(ledger.pool);
    postgres::RetentionScan scan;
    // Of the migration's own months some were before that.
    for (const auto& month : postgres::apply_retention(ledger.pool, 3, scan, always).dropped)
        CHECK(month < 2027y / 2 / 1);
    CHECK(postgres::ensure_partitions(ledger.pool) == 0);
    CHECK(ledger.value<bool>("SELECT to_regclass('message_logs_2027_02') IS NOT NULL"));
    // Nothing is behind any more, and what came too late is told.
    ledger.execute(
        "INSERT INTO plan_runs (message_type, timezone, delivery_date, planned_at, type_version) "
        "SELECT name, timezone, '2028-06-05', app_now(), version FROM message_types, zones_in_use");
    ledger.dispatch();
    CHECK(ledger.count_by_status() == std::map<std::string, int>{{"MISSED", 1}});
    for (const auto& month : postgres::apply_retention(ledger.pool, 3, scan, always).dropped)
        CHECK(month < 2028y / 3 / 1);
    CHECK(ledger.value<bool>("SELECT to_regclass('message_logs_2027_02') IS NULL"));
    CHECK(postgres::ensure_partitions(ledger.pool) == 0);
}

TEST_CASE("attempts and plan runs of dropped months are forgotten, those of kept ones are not") {
    OldLedger ledger;
    ledger.put("2025-11-10", "RETRYING");
    ledger.execute(R"(
        INSERT INTO delivery_attempts (message_id, delivery_date, attempt, started_at, finished_at, outcome)
        SELECT uuid_v7(), day, 1, day, day, 'FAILED'
        FROM unnest('{2024-12-31, 2025-11-10, 2025-12-01, 2025-12-31, 2026-01-01, 2027-02-01}'::date[]) AS day,
             generate_series(1, CASE WHEN day = '2025-12-01' THEN 6000 ELSE 1 END);
        INSERT INTO zones_in_use (timezone) VALUES ('UTC');
        INSERT INTO message_types (name, template) VALUES ('NAME_DAY', 'Hey');
        INSERT INTO plan_runs (message_type, timezone, delivery_date, planned_at, type_version)
        SELECT 'BIRTHDAY', 'UTC', day::date, day, 1 FROM generate_series('2009-01-01', '2027-02-27', interval '1 day') AS day
        UNION ALL
        SELECT 'NAME_DAY', 'UTC', day::date, day, 1 FROM generate_series('2025-01-01', '2025-12-31', interval '1 day') AS day)");
    CHECK(ledger.retain().complete);
    const auto left = [&](const std::string& table) {
        return ledger.value<std::string>(
            "SELECT string_agg(d::text, ' ' ORDER BY d) FROM (SELECT DISTINCT delivery_date AS d FROM " +
            table + " WHERE delivery_date < '2026-01-03') AS old");
    };
    CHECK(left("delivery_attempts") == "2025-11-10 2026-01-01");
    CHECK(left("plan_runs") == "2025-12-31 2026-01-01 2026-01-02");
}

TEST_CASE("a month that somebody detached, or is detaching, is left to them") {
    OldLedger ledger;
    ledger.execute("ALTER TABLE message_logs DETACH PARTITION message_logs_2025_10");
    auto reader = ledger.database.connection();
    reader.execute("BEGIN; SELECT FROM message_logs");
    // It waits for the reader, is cut off, and leaves the month pending.
    auto settings = ledger.database.settings();
    settings.statement_timeout = 300ms;
    CHECK_THROWS_AS(postgres::Connection(settings).execute(
                        "ALTER TABLE message_logs DETACH PARTITION message_logs_2025_11 CONCURRENTLY"),
                    postgres::DatabaseError);
    reader.execute("COMMIT");
    CHECK(ledger.retain().dropped == std::vector{december});
    const auto report = postgres::report_partitions(ledger.pool, 13);
    REQUIRE(report.size() > 2);
    CHECK(report[0].month == october);
    CHECK(report[0].state == "detached");
    CHECK(report[1].month == november);
    CHECK(report[1].state == "pending detach");
    CHECK(report[2].month == 2026y / 1 / 1);
    CHECK(report[2].state == "attached");
    CHECK(ledger.count("message_logs_2025_10") == 0);
}

TEST_CASE("the report of months tells what is in them and what retention would drop") {
    OldLedger ledger;
    for (const std::string status : {"RETRYING", "SENT", "FAILED", "QUEUED"}) {
        ledger.put("2025-11-10", status);
        ledger.put("2025-11-12", status);
    }
    ledger.execute(
        "INSERT INTO dispatches (ids, dates) SELECT array_agg(id), array_agg(delivery_date) FROM "
        "message_logs;"
        "ANALYZE message_logs_2025_11");
    for (const auto& p : postgres::report_partitions(ledger.pool, 13)) {
        CAPTURE(domain::to_string(p.month));
        CHECK(p.state == "attached");
        CHECK(p.expired == (p.month < 2026y / 1 / 1));
        CHECK(p.bytes > 0);
        const bool filled = p.month == november;
        CHECK(p.rows == (filled ? 8 : 0));
        CHECK(p.waiting == (filled ? 2 : 0));
        CHECK(p.in_flight == (filled ? 2 : 0));
        CHECK(p.attention == (filled ? 2 : 0));
        if (filled) {
            CHECK(p.first == 2025y / 11 / 10);
            CHECK(p.last == 2025y / 11 / 12);
        }
    }
    CHECK(postgres::kept_from(ledger.pool, 13) == 2026y / 1 / 1);
    for (const auto& p : postgres::report_partitions(ledger.pool, 0)) CHECK_FALSE(p.expired);
    const auto size = postgres::ledger_size(ledger.pool);
    CHECK(size.partitions == ledger.count("partitions"));
    CHECK(size.bytes > 0);
}

TEST_CASE("one at a time keeps house, and the next as soon as it is done") {
    Ledger ledger;
    auto others = ledger.database.pool();
    {
        const postgres::Turn turn(ledger.pool);
        CHECK(turn.mine());
        CHECK_FALSE(postgres::Turn(others).mine());
    }
    CHECK(postgres::Turn(others).mine());
}

TEST_CASE("a month and users that were filled and the ledger as a whole get statistics") {
    Ledger ledger;
    ledger.execute(
        "ALTER TABLE message_logs_2027_02 SET (autovacuum_enabled = off);"
        "ALTER TABLE users SET (autovacuum_enabled = off)");
    const auto rows_known = [&] {
        return ledger.value<int>(
            "SELECT reltuples::integer FROM pg_class WHERE relname = 'message_logs_2027_02'");
    };
    const auto columns_known = [&] {
        return ledger.value<int>(
            "SELECT count(*) FROM pg_stats WHERE tablename = 'message_logs' AND inherited "
            "AND attname IN ('user_id', 'message_type', 'status')");
    };
    CHECK(postgres::analyze_filled_tables(ledger.pool, always) == 0);
    postgres::analyze_ledger(ledger.pool);
    CHECK(columns_known() == 0);

    ledger.people_due(3);
    CHECK(rows_known() == -1);
    CHECK(postgres::analyze_filled_tables(ledger.pool, always) == 2);
    CHECK(rows_known() == 3);
    CHECK(postgres::analyze_filled_tables(ledger.pool, always) == 0);
    postgres::analyze_ledger(ledger.pool);
    CHECK(columns_known() == 3);

    // Again when there is far more, and not before.
    const auto grow = [&](int rows) {
        ledger.execute(
            "INSERT INTO message_logs (id, user_id, message_type, delivery_date, plan_version, type_version, "
            "timezone, scheduled_send_time, status, created_at, updated_at) "
            "SELECT uuid_v7(), uuid_v7(), 'BIRTHDAY', '2027-02-27', 1, 1, 'UTC', app_now(), 'SENT', now(), "
            "now() "
            "FROM generate_series(1, " +
            std::to_string(rows) + ")");
    };
    grow(10);
    CHECK(postgres::analyze_filled_tables(ledger.pool, always) == 0);
    grow(2'000);
    CHECK(postgres::analyze_filled_tables(ledger.pool, always) == 1);
    CHECK(rows_known() == 2'013);

    // Once a day is enough.
    const auto is_noted = [&] { return !ledger.value<bool>("SELECT ledger_wants_analyze()"); };
    CHECK(support::eventually(is_noted));
}
