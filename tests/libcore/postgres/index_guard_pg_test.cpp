// Every statement of the services, under a plan for any values, on tables as large as they become.
#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/support/eventually.hpp"
#include "tests/support/postgres_fixture.hpp"

namespace {

struct Found {
    std::string name;
    std::string sql;
};

/// Reads string literals where the preprocessor has left them.
class Literals {
public:
    explicit Literals(std::string text) : text_(std::move(text)) {}

    std::vector<Found> statements() {
        static const std::string opening = "constexpr Statement ";
        std::vector<Found> all;
        while ((at_ = text_.find(opening, at_)) != std::string::npos) {
            at_ = text_.find('{', at_) + 1;
            std::string name = joined();
            ++at_;  // the comma
            std::string sql = joined();
            all.push_back({std::move(name), std::move(sql)});
        }
        return all;
    }

private:
    /// Literals that stand side by side are one.
    std::string joined() {
        std::string all;
        for (;;) {
            at_ = text_.find_first_not_of(" \n", at_);
            if (text_.compare(at_, 2, "R\"") == 0)
                all += raw();
            else if (text_[at_] == '"')
                all += plain();
            else
                return all;
        }
    }

    std::string raw() {
        const auto bracket = text_.find('(', at_);
        const auto end = ")" + text_.substr(at_ + 2, bracket - at_ - 2) + "\"";
        const auto close = text_.find(end, bracket);
        at_ = close + end.size();
        return text_.substr(bracket + 1, close - bracket - 1);
    }

    std::string plain() {
        std::string all;
        for (++at_; text_[at_] != '"'; ++at_) {
            if (text_[at_] != '\\') {
                all += text_[at_];
            } else if (text_[++at_] == 'n') {
                all += '\n';
            } else {
                all += text_[at_];
            }
        }
        ++at_;
        return all;
    }

    std::string text_;
    std::size_t at_ = 0;
};

std::vector<Found> statements_of_the_services() {
    std::vector<Found> all;
    for (const auto& file : std::filesystem::directory_iterator(TIDINGS_PREPROCESSED)) {
        std::stringstream text;
        text << std::ifstream(file.path()).rdbuf();
        const auto found = Literals(text.str()).statements();
        all.insert(all.end(), found.begin(), found.end());
    }
    return all;
}

/// What grows with users, messages and years; what else there is stays small.
constexpr auto filled = R"(
    SELECT ensure_partitions(date '2026-08-01', date '2027-05-01');
    SET session_replication_role = replica;
    INSERT INTO users (id, first_name, last_name, email, timezone, birthday_date)
    SELECT uuid_v7(), 'Ada', 'Byron', n || '@example.com', zones.names[1 + n % 250], date '1990-01-01' + n % 365
    FROM (SELECT array_agg(name) AS names FROM pg_timezone_names WHERE name ~ '^(Europe|America|Asia)/') AS zones,
         generate_series(1, 20000) n;
    INSERT INTO zones_in_use (timezone) SELECT DISTINCT timezone FROM users;
    INSERT INTO user_occasions (user_id, message_type, date, timezone)
    SELECT id, 'ANNIVERSARY', '2020-03-01', timezone FROM users;
    INSERT INTO audit_log (actor, action, subject) SELECT 'key:test', 'user changed', id::text FROM users;
    INSERT INTO test_sends (id, message_type, recipient_email, message_content, status, created_at)
    SELECT id, 'BIRTHDAY', email, 'Hey', 'SENT', created_at FROM users;
    INSERT INTO dispatches (ids, dates) SELECT array_agg(id), array_agg(date '2027-02-27')
    FROM (SELECT id, row_number() OVER () AS n FROM users) AS u GROUP BY n / 10;
    INSERT INTO plan_runs (message_type, timezone, delivery_date, planned_at, type_version)
    SELECT 'BIRTHDAY', name, date '2027-02-01' + n, now(), 1
    FROM (SELECT name FROM pg_timezone_names LIMIT 300) AS zones, generate_series(1, 30) n;
    INSERT INTO interventions (id, action, reason, shown_by, shown_at, late, forced, per_minute)
    SELECT id, 'replay', 'test', 'key:test', created_at, false, false, 60 FROM users LIMIT 1000;
    INSERT INTO intervention_steps (intervention, number, ids, dates)
    SELECT id, n, ARRAY[id], ARRAY[date '2027-02-27'] FROM interventions, generate_series(1, 10) n;
    INSERT INTO message_logs (id, user_id, message_type, delivery_date, plan_version, type_version, timezone,
                              scheduled_send_time, status, due_at, attention_at, created_at, updated_at)
    SELECT uuid_v7(), u.id, 'BIRTHDAY', day, 1, 1, 'Europe/London', day + time '09:00', s.status,
           CASE WHEN s.status = 'SCHEDULED' THEN day + time '09:00' END,
           CASE WHEN s.status IN ('FAILED', 'UNKNOWN', 'MISSED') THEN day + time '10:00' END, day, day
    FROM (SELECT id, row_number() OVER () AS n FROM users LIMIT 4000) AS u
    CROSS JOIN (SELECT to_date(right(name, 7), 'YYYY_MM') + 26 AS day FROM partitions WHERE name ~ '_\d{4}_\d\d$') AS days
    CROSS JOIN LATERAL (
        SELECT (ARRAY['FAILED', 'UNKNOWN', 'MISSED', 'QUEUED', 'SENDING', 'SCHEDULED'])[n % 200] AS status
    ) AS rare
    CROSS JOIN LATERAL (SELECT coalesce(rare.status, 'SENT') AS status) AS s;
    INSERT INTO delivery_attempts (message_id, delivery_date, attempt, outcome, started_at, finished_at)
    SELECT id, delivery_date, 1, 'SENT', created_at, created_at FROM message_logs WHERE status = 'SENT';
    RESET session_replication_role;
)";

// Tables that grow are read from end to end by nobody but these, each for a reason.
const std::map<std::string, std::string> justified{
    {"rescue_batches", "those that were looked at longest ago, in the order of the index, and no more"},
    {"users_of_zones", "asked by a person, once for new rules of many zones"},
    {"outdated_units", "all dispatches: what is in flight has no other list"}};

// Of partial indexes, those that hold few rows however many there are in the table; the others hold nearly
// all.
const std::set<std::string> small_by_nature{
    "message_logs_due",        // what waits for its time, read in that order
    "message_logs_attention",  // what a person has yet to look at
    "test_sends_pending",      // what was asked for a moment ago
};

class Explainer {
public:
    Explainer() : connection_(settings()) {
        connection_.execute(filled);
        connection_.execute("VACUUM ANALYZE");
        connection_.execute(
            "CREATE FUNCTION pg_temp.explained(call text) RETURNS SETOF text LANGUAGE plpgsql AS $$ BEGIN "
            "RETURN QUERY EXECUTE 'EXPLAIN (COSTS OFF) ' || call; END $$");
        static constexpr postgres::Statement first_columns{"first_columns", R"(
            SELECT i.indexrelid::regclass::text,
                   substring(pg_get_indexdef(i.indexrelid, 1, true) FROM '(\w+)\)?$'),
                   coalesce(p.inhparent, i.indexrelid)::regclass::text
            FROM pg_index i
            JOIN pg_class t ON t.oid = i.indrelid AND t.reltuples >= 1000
            LEFT JOIN pg_inherits p ON p.inhrelid = i.indexrelid)"};
        for (const auto row : connection_.run(first_columns))
            if (!small_by_nature.contains(row.get<std::string>(2)))
                first_columns_.emplace(row.get<std::string>(0), row.get<std::string>(1));
    }

    /// Lines of a plan for whatever values: none is known when it is made.
    std::vector<std::string> plan_of(const std::string& sql) {
        static constexpr postgres::Statement parameters{
            "parameters",
            "SELECT cardinality(parameter_types) FROM pg_prepared_statements WHERE name = 'guarded'"};
        static constexpr postgres::Statement explained{"explained", "SELECT pg_temp.explained($1)"};
        connection_.execute("PREPARE guarded AS " + sql);
        std::string values;
        for (int i = connection_.run(parameters).front().get<int>(0); i > 0; --i)
            values += values.empty() ? "NULL" : ", NULL";
        const auto call = "EXECUTE guarded" + (values.empty() ? "" : "(" + values + ")");
        std::vector<std::string> lines;
        for (const auto row : connection_.run(explained, call)) lines.push_back(row.get<std::string>(0));
        connection_.execute("DEALLOCATE guarded");
        return lines;
    }

    /// What it reads from end to end: a large table, or an index without a condition on its first column.
    std::string reads_whole(const std::vector<std::string>& plan) {
        static const std::regex table(
            "Seq Scan on (users|user_occasions|message_logs|delivery_attempts|audit_log|test_sends|plan_runs|"
            "dispatches|interventions|intervention_steps)");
        static const std::regex index("(?:Index.* Scan.* using|Bitmap Index Scan on) (\\S+)");
        for (auto line = plan.begin(); line != plan.end(); ++line) {
            std::smatch found;
            if (std::regex_search(*line, found, table)) return found[1];
            if (!std::regex_search(*line, found, index)) continue;
            const auto first = first_columns_.find(found[1]);
            if (first == first_columns_.end()) continue;
            const auto condition = line + 1 == plan.end() ? "" : *(line + 1);
            if (condition.find("Index Cond: ") == std::string::npos ||
                !std::regex_search(condition, std::regex("\\b" + first->second + "\\b")))
                return found[1];
        }
        return {};
    }

    /// Tables and indexes of which it reads more than so many rows, entries or pages, functions and triggers
    /// included; a page counts each time. It is undone.
    std::map<std::string, std::int64_t> reads_beyond(std::int64_t limit, const std::string& script) {
        connection_.execute("BEGIN");
        const auto before = read_until_now();
        connection_.execute(script);
        auto read = read_until_now();
        connection_.execute("ROLLBACK");
        for (const auto& [name, number] : before) read[name] -= number;
        std::erase_if(read, [&](const auto& it) { return it.second <= limit; });
        return read;
    }

    void execute(const std::string& script) { connection_.execute(script); }

private:
    std::map<std::string, std::int64_t> read_until_now() {
        static constexpr postgres::Statement read{"read", R"(
            SELECT relname::text,
                   greatest(pg_stat_get_xact_tuples_returned(oid), pg_stat_get_xact_blocks_fetched(oid))
            FROM pg_class WHERE relkind IN ('r', 'i') AND relnamespace = 'public'::regnamespace)"};
        std::map<std::string, std::int64_t> all;
        for (const auto row : connection_.run(read))
            all.emplace(row.get<std::string>(0), row.get<std::int64_t>(1));
        return all;
    }

    postgres::ConnectionSettings settings() const {
        auto settings = database_.settings();
        settings.session = {{"plan_cache_mode", "force_generic_plan"}};
        return settings;
    }

    support::TestDatabase database_;
    postgres::Connection connection_;
    std::map<std::string, std::string> first_columns_;  ///< of large indexes
};

}  // namespace

TEST_CASE("no statement of the services reads a large table from end to end, whatever its parameters") {
    const auto all = statements_of_the_services();
    CHECK(all.size() > 100);
    Explainer explainer;
    for (const auto& [name, sql] : all) {
        const auto plan = explainer.plan_of(sql);
        const auto whole = explainer.reads_whole(plan);
        CAPTURE(name, whole, plan);
        CHECK(whole.empty() != justified.contains(name));
    }

    CHECK(explainer.reads_whole(explainer.plan_of(
              "SELECT lower(email) FROM users WHERE deleted_at IS NULL ORDER BY lower(email) LIMIT $1")) ==
          "users_email");
    explainer.execute("DROP INDEX message_logs_user");
    const auto found = std::ranges::find(all, "user_messages", &Found::name);
    REQUIRE(found != all.end());
    CHECK_FALSE(explainer.reads_whole(explainer.plan_of(found->sql)).empty());
}

TEST_CASE("what a statement leaves to functions and triggers reads little more than it is about") {
    // Each is about 200 users, days or zones, some of them a few times over.
    constexpr std::int64_t few = 4'000;
    const std::map<std::string, std::string> all{
        {"units_due", "SELECT units_due('26 hours')"},
        {"plan_chunk",
         "SELECT plan_chunk('BIRTHDAY', timezone, '2027-03-03', 200) FROM users "
         "WHERE birthday_date = '1990-03-03' LIMIT 1"},
        {"replan", "SELECT replan(ARRAY(SELECT id FROM users LIMIT 200))"},
        {"remove_type",
         "UPDATE message_types SET deleted_at = now() WHERE name = 'ANNIVERSARY';"
         "SELECT remove_type('ANNIVERSARY', 200)"},
        {"forget_attempts", "SELECT forget_attempts(1, 200)"},
        {"forget_plan_runs", "SELECT forget_plan_runs(1, 200)"},
        {"a new zone", "UPDATE users SET timezone = 'Asia/Tokyo' WHERE id = (SELECT id FROM users LIMIT 1)"}};
    Explainer explainer;
    explainer.execute("SET enable_seqscan = off");  // as the scheduler's sessions have it
    explainer.execute("SELECT set_clock('2027-03-04 00:00+00', 0)");
    for (const auto& [name, script] : all) {
        const auto much = explainer.reads_beyond(few, script);
        CAPTURE(name);
        for (const auto& [relation, number] : much) UNSCOPED_INFO(number << " of " << relation);
        CHECK(much.empty());
    }

    explainer.execute("DROP INDEX message_logs_user");
    CHECK_FALSE(explainer.reads_beyond(few, all.at("replan")).empty());
    explainer.execute("DROP INDEX users_birthday");
    CHECK_FALSE(explainer.reads_beyond(few, all.at("plan_chunk")).empty());
}

TEST_CASE("indexes that nobody has read can be listed, those of all months as one") {
    const support::TestDatabase database;
    auto connection = database.connection();
    static constexpr postgres::Statement listed{
        "listed", "SELECT count(*), sum(bytes) > 0 FROM unused_indexes WHERE index = $1::regclass"};
    const auto times_listed = [&](const std::string& index) {
        return connection.run(listed, index).front().get<int>(0);
    };
    CHECK(times_listed("message_logs_user") == 1);
    CHECK(times_listed("users_pkey") == 0);

    connection.execute(
        "SET enable_seqscan = off; SET enable_bitmapscan = off;"
        "SELECT count(*) FROM message_logs WHERE user_id = gen_random_uuid()");
    connection.execute("SELECT pg_stat_force_next_flush()");
    CHECK(support::eventually([&] { return times_listed("message_logs_user") == 0; }));
    CHECK(times_listed("message_logs_attention") == 1);
}
