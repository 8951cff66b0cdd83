#include <catch2/catch.hpp>

#include "libcore/postgres/record_table.hpp"
#include "tests/libcore/postgres/ledger.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/servers/postgres_server.hpp"

namespace {

const auto nine = at(2027y / 2 / 27, 9h);

/// Users without triggers, then planned: as a thousand rows come into being at night.
void plan_people(Ledger& ledger, int count) {
    std::vector<domain::UserFields> people;
    for (int i = 0; i < count; ++i) {
        people.push_back(Ledger::born(1990y / 2 / 27));
        people.back().email = std::to_string(i) + "@example.com";
    }
    ledger.add_unplanned(people, "2027-02-26T00:00Z");
    ledger.plan();
}

std::string plan_of(Ledger& ledger, const std::string& query) {
    auto connection = ledger.database.connection();
    connection.execute("SET plan_cache_mode = force_generic_plan");
    const std::string sql = "EXPLAIN (COSTS OFF) " + query;
    std::string plan;
    for (const auto row : connection.run(postgres::Statement{"explain", sql.c_str()}))
        plan += row.get<std::string>(0) + "\n";
    return plan;
}

/// Of the updates that take a thousand rows from SCHEDULED to SENT, the part that touches no index.
double heap_only_ratio(const std::string& server) {
    Ledger ledger(server, nine);
    plan_people(ledger, 1'000);
    REQUIRE(ledger.count_by_status() == std::map<std::string, int>{{"SCHEDULED", 1'000}});
    for (int batch = 0; batch < 4; ++batch) {
        std::vector<postgres::Attempted> attempts;
        for (const auto& claimed : ledger.claim(ledger.dispatch(250)).claimed)
            attempts.push_back({.message_id = claimed.message_id,
                                .delivery_date = claimed.delivery_date,
                                .attempt = claimed.attempt,
                                .outcome = {},
                                .http_status = 200,
                                .body = "{\"success\":true}",
                                .error = {},
                                .started_at = nine,
                                .finished_at = nine});
        postgres::record_outcomes(ledger.pool, attempts);
    }
    REQUIRE(ledger.count_by_status() == std::map<std::string, int>{{"SENT", 1'000}});

    // A session reports what it did when it has been idle for a while, unless it is asked to.
    ledger.rows("SELECT pg_stat_force_next_flush()");
    REQUIRE(support::eventually([&] {
        return ledger.database.connection()
                   .run(postgres::Statement{"updates",
                                            "SELECT n_tup_upd FROM pg_stat_user_tables "
                                            "WHERE relname = 'message_logs_2027_02'"})
                   .front()
                   .get<int>(0) >= 3'000;
    }));
    return ledger.value<double>(
        "SELECT n_tup_hot_upd::float8 / n_tup_upd FROM pg_stat_user_tables WHERE relname = "
        "'message_logs_2027_02'");
}

}  // namespace

TEST_CASE("a delivery rewrites its row mostly without touching an index") {
    // Room on a page is made by pruning, which waits for every older transaction of the server: other tests
    // have none on this one, and for its own housekeeping what can be reached is what counts.
    const support::PostgresServer server;
    CHECK(support::eventually([&] { return heap_only_ratio(server.url()) >= 0.6; }, 60s));
}

TEST_CASE("no index of the ledger mentions status") {
    Ledger ledger;
    CHECK(ledger.value<int>("SELECT count(*) FROM pg_indexes WHERE tablename LIKE 'message_logs%'") > 6);
    CHECK(ledger.value<int>("SELECT count(*) FROM pg_indexes WHERE tablename LIKE 'message_logs%' "
                            "AND indexdef ~ '\\mstatus\\M'") == 0);
}

TEST_CASE("each question about messages is answered by its index") {
    Ledger ledger(nine);
    plan_people(ledger, 2'000);
    ledger.execute(
        "UPDATE message_logs SET status = 'SENT', due_at = NULL; "
        "UPDATE message_logs SET status = 'FAILED', attention_at = app_now() "
        "WHERE id IN (SELECT id FROM message_logs LIMIT 5); ANALYZE message_logs");
    const auto [index, question] = GENERATE(table<std::string, std::string>({
        {"_user_id_idx",
         "SELECT * FROM message_logs WHERE user_id = '01890000-0000-7000-8000-000000000000' "
         "ORDER BY delivery_date, id LIMIT 50"},
        {"_due_at_idx", "SELECT * FROM message_logs WHERE due_at <= app_now() ORDER BY due_at LIMIT 500"},
        {"_message_type_scheduled_send_time_idx",
         "SELECT * FROM message_logs WHERE message_type = 'BIRTHDAY' AND scheduled_send_time >= "
         "'2027-02-27T10:00Z' AND scheduled_send_time < '2027-02-27T11:00Z'"},
        {"_attention_at_idx",
         "SELECT * FROM message_logs WHERE attention_at IS NOT NULL ORDER BY attention_at"},
        {"_user_id_idx",  // the key by what it is made of
         "SELECT * FROM message_logs WHERE user_id = '01890000-0000-7000-8000-000000000000' "
         "AND message_type = 'BIRTHDAY' AND delivery_date = '2027-02-27'"},
        {"_pkey",
         "SELECT * FROM message_logs WHERE id = '01890000-0000-7000-8000-000000000000' "
         "AND delivery_date = '2027-02-27'"},
    }));
    const auto plan = plan_of(ledger, question);
    CAPTURE(plan);
    CHECK(plan.find("message_logs_2027_02" + index) != std::string::npos);
    CHECK(plan.find("Seq Scan on message_logs_2027_02") == std::string::npos);
}
