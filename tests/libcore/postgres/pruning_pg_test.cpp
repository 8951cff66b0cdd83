// Which months and how much of them the services' own statements read, under plans that are kept, made at the
// worst moment: on a ledger that is still empty.
#include <catch2/catch.hpp>

#include "libcore/postgres/record_table.hpp"
#include "libcore/postgres/rescue_table.hpp"
#include "libcore/postgres/retention_table.hpp"
#include "libcore/postgres/user_messages_table.hpp"
#include "tests/libcore/postgres/ledger.hpp"

namespace {

const domain::Date today = 2027y / 2 / 27;
constexpr int batch = 20;

struct Explained {
    std::string plan;
    std::set<std::string> months;  ///< whose rows or indexes were really looked at
    int pages = 0;                 ///< touched
};

using SessionSettings = std::map<std::string, std::string>;
const SessionSettings working{{"enable_seqscan", "off"}, {"jit", "off"}};  // scheduler and worker
const SessionSettings answering{};                                         // API

/// What statistics the server has: those of the filled ledger, none, or those of the empty one.
enum class House { kept, neglected, misled };

/// One session that has run every statement while no month had a row but one, and plans for good; then the
/// months are filled.
class WornSession {
public:
    explicit WornSession(const SessionSettings& session, House house = House::kept)
        : pool_(settings(session)) {
        // Statistics make the session plan again.
        ledger.execute(R"(
            DO $$ DECLARE p text; BEGIN
                PERFORM ensure_partitions(date '2026-08-01', date '2027-05-01');
                FOR p IN SELECT name FROM partitions LOOP
                    EXECUTE format('ALTER TABLE %I SET (autovacuum_enabled = off)', p);
                END LOOP;
            END $$;
            ALTER TABLE dispatches SET (autovacuum_enabled = off);
            ALTER TABLE users SET (autovacuum_enabled = off))");
        pool_.lease()->execute(
            "CREATE FUNCTION pg_temp.explain(call text) RETURNS SETOF text LANGUAGE plpgsql AS $$ BEGIN "
            "RETURN QUERY EXECUTE 'EXPLAIN (ANALYZE, BUFFERS, COSTS OFF, TIMING OFF) EXECUTE ' || "
            "(SELECT name FROM pg_prepared_statements "
            " WHERE name ~ ('^' || split_part(call, '(', 1) || '_[0-9a-f]{16}$')) || "
            "substr(call, length(split_part(call, '(', 1)) + 1); "
            "END $$");
        if (house == House::misled) ledger.execute("VACUUM ANALYZE");
        run_everything_once();
        fill();
        if (house != House::kept) return;
        // As the housekeeper does.
        CHECK(postgres::analyze_filled_tables(ledger.pool, [] { return true; }) >= 8);
    }

    Explained explain(const std::string& call) {
        static constexpr postgres::Statement explain_call{"explain_call", "SELECT pg_temp.explain($1)"};
        Explained found;
        for (const auto row : pool_.run(explain_call, call)) {
            const auto line = row.get<std::string>(0);
            found.plan += line + "\n";
            const auto month = line.find(" on message_logs_2");
            if (month != std::string::npos && line.find("Scan") < month &&
                line.find("never executed") == std::string::npos)
                found.months.insert(line.substr(month + 17, 7));
            const auto pages = line.find("Buffers: shared ");
            if (pages != std::string::npos && found.pages == 0) found.pages = pages_of(line);
        }
        return found;
    }

    /// Arguments of the batch that is QUEUED: ids, dates, attempts.
    std::string hints() { return arrays("status = 'QUEUED'"); }
    std::string ids_and_dates(const std::string& condition) {
        const auto all = arrays(condition);
        return all.substr(0, all.rfind(", '{"));
    }

    /// As changes of these users would leave them whose replanning is yet to come: all have moved, and the
    /// first keeps no date any longer. Without a word to the sessions that have plans.
    void change_without_replanning(const std::string& ids) {
        const std::string these = "('" + ids + "'::uuid[])";
        ledger.execute(
            "SET session_replication_role = replica;"
            "UPDATE users SET plan_version = plan_version + 1, timezone = 'America/New_York',"
            "    birthday_date = CASE WHEN id <> " +
            these +
            "[1] THEN birthday_date END "
            "WHERE id = ANY " +
            these +
            ";"
            "RESET session_replication_role");
    }

    std::string arrays(const std::string& condition) {
        return ledger.value<std::string>(
            "SELECT format('%L, %L, %L', array_agg(id), array_agg(delivery_date), array_agg(attempt)) "
            "FROM (SELECT * FROM message_logs WHERE " +
            condition + " LIMIT " + std::to_string(batch) + ") AS chosen");
    }

    Ledger ledger;

private:
    postgres::PoolSettings settings(SessionSettings session) const {
        postgres::PoolSettings settings{.connection = ledger.database.settings(), .max = 1};
        session["plan_cache_mode"] = "force_generic_plan";
        settings.connection.session = session;
        return settings;
    }

    static int pages_of(const std::string& line) {
        int pages = 0;
        for (const std::string kind : {"hit=", "read="})
            if (const auto at = line.find(kind); at != std::string::npos)
                pages += std::stoi(line.substr(at + kind.size()));
        return pages;
    }

    void run_everything_once() {
        ledger.people_due(2);
        std::vector<domain::Delivery> hints;
        const auto keep = [&](std::span<const domain::Delivery> taken) {
            hints.assign(taken.begin(), taken.end());
        };
        postgres::due_backlog(pool_);
        postgres::time_to_next_due(pool_);
        postgres::dispatch(pool_, 500, keep);
        REQUIRE(hints.size() == 2);
        REQUIRE(postgres::give_back_hints(pool_, std::span(hints).first(1), 0s) == 1);
        const auto claimed = postgres::claim(pool_, hints, {.lease = 30s}).claimed;
        REQUIRE(claimed.size() == 1);
        postgres::record_outcomes(pool_,
                                  std::vector{postgres::Attempted{.message_id = claimed[0].message_id,
                                                                  .delivery_date = claimed[0].delivery_date,
                                                                  .attempt = claimed[0].attempt,
                                                                  .outcome = {},
                                                                  .http_status = 200,
                                                                  .body = {},
                                                                  .error = {},
                                                                  .started_at = at(today, 9h),
                                                                  .finished_at = at(today, 9h)}});
        postgres::rescue(pool_, {.lease = 0ms});
        const auto users = ledger.people_due(2);
        change_without_replanning("{" + to_string(users[0]) + "," + to_string(users[1]) + "}");
        postgres::replan(pool_, users);
        REQUIRE(ledger.messages(users[0]).empty());
        REQUIRE(ledger.message(users[1]).scheduled == at(today, 14h));
        postgres::messages_of_user(pool_, {.user_id = domain::Uuid{}});
        static constexpr postgres::Statement by_type_and_time{
            "by_type_and_time",
            "SELECT * FROM message_logs WHERE message_type = $1 AND scheduled_send_time >= $2 "
            "AND scheduled_send_time < $3"};
        static constexpr postgres::Statement by_attention{
            "by_attention",
            "SELECT * FROM message_logs WHERE attention_at >= $1 ORDER BY attention_at LIMIT 50"};
        static constexpr postgres::Statement by_key{
            "by_key",
            "SELECT * FROM message_logs WHERE user_id = $1 AND message_type = $2 AND delivery_date = $3"};
        pool_.run(by_type_and_time, "BIRTHDAY", at(today, 9h), at(today, 10h));
        pool_.run(by_attention, at(today, 9h));
        pool_.run(by_key, domain::Uuid{}, "BIRTHDAY", today);
    }

    /// 2,000 messages in each of seven months, all SENT; and of this day's ten batches, of which one is
    /// queued.
    void fill() {
        ledger.execute(R"(
            SET session_replication_role = replica;
            INSERT INTO users (id, first_name, last_name, email, timezone, birthday_date)
            SELECT uuid_v7(), 'Ada', 'Byron', n || '@example.com', 'UTC', '1990-02-27' FROM generate_series(1, 2000) n;
            RESET session_replication_role;
            INSERT INTO message_logs (id, user_id, message_type, delivery_date, plan_version, type_version, timezone,
                                      scheduled_send_time, status, due_at, created_at, updated_at)
            SELECT uuid_v7(), u.id, t.name, day, 1, t.version, 'UTC', day + time '09:00', s.status,
                   CASE WHEN s.status = 'SCHEDULED' THEN day + time '09:00' END, day, day
            FROM (SELECT id, row_number() OVER () AS n FROM users WHERE last_name = 'Byron') AS u
            CROSS JOIN LATERAL (
                SELECT (date '2026-08-27' + m * interval '1 month')::date AS day FROM generate_series(0, 6) m
            ) AS days
            CROSS JOIN LATERAL (
                SELECT CASE WHEN day < '2027-02-27' OR n > 200 THEN 'SENT' WHEN n > 20 THEN 'SCHEDULED' ELSE 'QUEUED' END
                    AS status
            ) AS s
            JOIN message_types t ON t.name = 'BIRTHDAY';
            INSERT INTO dispatches (at, looked_at, ids, dates)
            SELECT '-infinity', '-infinity', array_agg(id), array_agg(delivery_date)
            FROM message_logs WHERE status = 'QUEUED')");
        REQUIRE(ledger.value<int>("SELECT count(*) FROM message_logs WHERE status = 'QUEUED'") == batch);
    }

    postgres::Pool pool_;
};

const std::string this_day = "'2027-02-27', '2027-02-27'";
const std::set<std::string> this_month{"2027_02"};
// Some of each index that finds or changes a message. A month has 600 and more, and there are seven.
constexpr int few_pages = 40 * batch;

}  // namespace

TEST_CASE("what a worker asks reads the rows of its batch, though first planned on an empty ledger") {
    const auto house = GENERATE(House::kept, House::neglected);
    CAPTURE(house);
    WornSession session(working, house);
    const auto batch_is_read = [&](const std::string& name, const std::string& arguments, int pages_a_row) {
        const auto found = session.explain(name + "(" + arguments + ")");
        CAPTURE(name, found.plan, found.pages);
        CHECK(found.months == this_month);
        CHECK(found.pages > batch);
        CHECK(found.pages < pages_a_row * batch);
    };
    const auto hints = session.arrays("status = 'QUEUED'");
    const auto ids = session.ids_and_dates("status = 'QUEUED'");
    batch_is_read("lock_hinted", hints + ", " + this_day + ", '30 s'", 10);
    batch_is_read("claim_locked", ids + ", " + this_day + ", '30 s', '1 day'", 30);
    batch_is_read("give_back", session.arrays("status = 'SENDING'") + ", 'SENDING', '0'", 30);
    // The target of an UPDATE is joined as the plan likes: it stays right only with statistics.
    if (house != House::kept) return;
    const std::string of_all = ", '{20}')";
    batch_is_read("record_outcomes",
                  ids + ", array_fill(1" + of_all + ", array_fill('SENT'::text" + of_all +
                      ", array_fill(interval '0'" + of_all + ", array_fill(0::smallint" + of_all +
                      ", array_fill(false" + of_all + ", array_fill(200::smallint" + of_all +
                      ", array_fill(NULL::text" + of_all + ", array_fill(NULL::text" + of_all +
                      ", array_fill(now()" + of_all + ", array_fill(now()" + of_all + ", " + this_day,
                  30);
    CHECK(session.ledger.value<int>(
              "SELECT count(*) FROM message_logs WHERE status = 'SENT' AND attempt = 1") == batch + 1);
}

TEST_CASE("what a scheduler asks reads what is due or in flight, though first planned on an empty ledger") {
    const auto house = GENERATE(House::kept, House::neglected);
    CAPTURE(house);
    WornSession session(working, house);
    // What is due is looked for in every month: an index of nothing else, which is empty where nothing is.
    const auto all = session.ledger.value<int>("SELECT count(*) FROM partitions");
    const auto due = session.explain("take_due(20, '5 s')");
    CAPTURE(due.plan, due.pages);
    CHECK(due.months.size() == static_cast<std::size_t>(all));
    CHECK(due.pages < few_pages);
    const auto next = session.explain("next_due");
    CAPTURE(next.plan, next.pages);
    CHECK(next.pages < few_pages);
    const auto counted = session.explain("count_due");
    CAPTURE(counted.plan, counted.pages);
    CHECK(counted.pages < few_pages);

    const auto rescued = session.explain("rescue_batches('30 s', '15 min', true, false, 3, 50, '0')");
    CAPTURE(rescued.plan, rescued.pages);
    CHECK(rescued.months == this_month);
    CHECK(rescued.pages < few_pages);
}

TEST_CASE("a change of users reads their messages, though first planned on an empty ledger") {
    const auto house = GENERATE(House::kept, House::neglected, House::misled);
    CAPTURE(house);
    WornSession session(working, house);
    const auto users = session.ledger.value<std::string>(
        "SELECT array_agg(id)::text FROM (SELECT id FROM users WHERE last_name = 'Byron' LIMIT " +
        std::to_string(batch) + ") AS chosen");
    session.change_without_replanning(users);
    const auto found = session.explain("replan_users('" + users + "')");
    CAPTURE(found.plan, found.pages);
    CHECK(session.ledger.value<int>(
              "SELECT count(*) FROM message_logs WHERE timezone = 'America/New_York'") == batch);
    CHECK(session.ledger.value<int>("SELECT count(*) FROM audit_log WHERE action = 'message removed'") == 2);
    CHECK(found.pages > batch);
    CHECK(found.pages < 200 * batch);
}

TEST_CASE(
    "what the API asks about a person reads that person's messages, though first planned on an empty "
    "ledger") {
    WornSession session(answering);
    const auto id = session.ledger.value<std::string>(
        "SELECT user_id::text FROM message_logs WHERE status = 'QUEUED' LIMIT 1");
    const auto found = session.explain("user_messages('" + id + "', NULL, NULL, NULL, 50)");
    CAPTURE(found.plan, found.pages);
    CHECK(found.pages > 7);
    CHECK(found.pages < 100);
}

TEST_CASE("questions with parameters are answered by an index, though first planned on an empty ledger") {
    WornSession session(answering);
    session.ledger.execute(
        "UPDATE message_logs SET status = 'FAILED', attention_at = app_now() WHERE status = 'QUEUED'");
    const auto user = session.ledger.value<std::string>(
        "SELECT user_id::text FROM message_logs WHERE status = 'FAILED' LIMIT 1");
    const auto reads_no_more_than = [&](int pages, const std::string& question) {
        const auto found = session.explain(question);
        CAPTURE(question, found.plan, found.pages);
        CHECK(found.plan.find("Seq Scan on message_logs") == std::string::npos);
        CHECK(found.pages > 0);
        CHECK(found.pages < pages);
        return found.months;
    };
    // The instant alone prunes only by literals.
    reads_no_more_than(100, "by_type_and_time('BIRTHDAY', '2027-01-20T00:00Z', '2027-01-20T12:00Z')");
    reads_no_more_than(200, "by_attention('2027-02-27T00:00Z')");
    CHECK(reads_no_more_than(10, "by_key('" + user + "', 'BIRTHDAY', '2027-02-27')") == this_month);
}

TEST_CASE("every foreign key is covered by an index whose first columns it is") {
    Ledger ledger;
    CHECK(ledger.value<int>("SELECT count(*) FROM pg_constraint WHERE contype = 'f'") >= 3);
    CHECK(ledger.value<std::string>(R"(
        SELECT coalesce(string_agg(conrelid::regclass || '.' || conname, ' '), '')
        FROM pg_constraint c
        WHERE contype = 'f' AND NOT EXISTS (
            SELECT FROM pg_index i
            WHERE i.indrelid = c.conrelid AND i.indisvalid AND i.indpred IS NULL
              AND (i.indkey::smallint[])[0 : cardinality(c.conkey) - 1] @> c.conkey
              AND (i.indkey::smallint[])[0 : cardinality(c.conkey) - 1] <@ c.conkey))") == "");
}
