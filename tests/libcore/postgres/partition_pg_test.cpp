#include <catch2/catch.hpp>

#include "tests/libcore/postgres/ledger.hpp"

namespace {

std::string plan_of(Ledger& ledger, const std::string& query) {
    std::string plan;
    for (const auto row : ledger.rows("EXPLAIN (COSTS OFF) " + query)) plan += row.get<std::string>(0) + "\n";
    return plan;
}

/// The partitions that a plan visits.
std::string visited(const std::string& plan) {
    std::string months;
    for (const std::string month : {"2027_01", "2027_02", "2027_03", "2027_04", "2027_05"})
        if (plan.find("on message_logs_" + month) != std::string::npos) months += month + " ";
    return months;
}

std::string partitions(Ledger& ledger) {
    return ledger.value<std::string>(
        "SELECT string_agg(right(c.relname, 7), ' ' ORDER BY c.relname) FROM pg_inherits "
        "JOIN pg_class c ON c.oid = inhrelid WHERE inhparent = 'message_logs'::regclass AND c.relname >= "
        "'message_logs_2027'");
}

}  // namespace

TEST_CASE("partitions are made ahead and once from as far back as a change still plans") {
    Ledger ledger(at(2027y / 2 / 5, 0h));
    CHECK(partitions(ledger) == "2027_01 2027_02 2027_03 2027_04 2027_05");
    CHECK(postgres::partitions_ahead(ledger.pool) == 3);
    CHECK(postgres::ensure_partitions(ledger.pool) == 0);
    ledger.execute("UPDATE app_clock SET base = '2027-03-01T00:00Z'");
    CHECK(postgres::partitions_ahead(ledger.pool) == 2);
    CHECK(postgres::ensure_partitions(ledger.pool) == 1);
    CHECK(postgres::partitions_ahead(ledger.pool) == 3);
}

TEST_CASE("after an outage of half a year the months that were never planned have their partitions") {
    Ledger ledger;
    ledger.people_due(1);
    ledger.execute("UPDATE app_clock SET base = '2027-09-05T00:00Z'");
    postgres::ensure_partitions(ledger.pool);
    CHECK(partitions(ledger) ==
          "2027_01 2027_02 2027_03 2027_04 2027_05 2027_06 2027_07 2027_08 2027_09 2027_10 2027_11 2027_12");
    for (const postgres::Unit& unit : postgres::units_due(ledger.pool, 26h)) {
        CHECK_NOTHROW(postgres::plan_unit(ledger.pool, unit, 100));
    }
}

TEST_CASE("two that make partitions at once make each once", "[threads]") {
    Ledger ledger;
    ledger.execute("UPDATE app_clock SET base = '2027-09-01T00:00Z'");
    std::array<int, 2> made{};
    {
        std::vector<std::jthread> makers;
        for (int& count : made)
            makers.emplace_back([&] { count = postgres::ensure_partitions(ledger.pool); });
    }
    CHECK(made[0] + made[1] > 0);
    CHECK((made[0] == 0 || made[1] == 0));
}

TEST_CASE("there is no partition for everything else and a row without a place is refused") {
    Ledger ledger;
    CHECK(ledger.value<int>("SELECT count(*) FROM pg_partitioned_table WHERE partdefid <> 0") == 0);
    ledger.people_due(1);
    CHECK_THROWS_AS(ledger.execute("UPDATE message_logs SET delivery_date = '2031-01-01'"),
                    postgres::DatabaseError);
}

TEST_CASE("an instant more than a day outside its partition's month is refused") {
    Ledger ledger;
    ledger.people_due(1);
    const auto move = [&](const std::string& instant) {
        ledger.execute("UPDATE message_logs SET scheduled_send_time = '" + instant + "'");
    };
    CHECK_NOTHROW(move("2027-01-31T00:00Z"));
    CHECK_NOTHROW(move("2027-03-01T23:59:59Z"));
    CHECK_THROWS_AS(move("2027-01-30T23:59:59Z"), postgres::DatabaseError);
    CHECK_THROWS_AS(move("2027-03-02T00:00Z"), postgres::DatabaseError);
}

TEST_CASE("literal bounds of the date or of the instant visit only their months") {
    Ledger ledger;
    CHECK(visited(plan_of(ledger,
                          "SELECT FROM message_logs WHERE delivery_date BETWEEN '2027-03-02' AND "
                          "'2027-03-20'")) == "2027_03 ");
    CHECK(visited(plan_of(ledger,
                          "SELECT FROM message_logs WHERE scheduled_send_time >= '2027-03-10T00:00Z' "
                          "AND scheduled_send_time < '2027-03-11T00:00Z'")) == "2027_03 ");
}

TEST_CASE("the bounds that claim and record carry visit only their months under a generic plan") {
    Ledger ledger;
    auto connection = ledger.database.connection();
    connection.execute(
        "SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off;"
        "PREPARE locked (uuid[], date[], date, date) AS SELECT m.id FROM unnest($1, $2) AS hint(id, day) "
        "JOIN message_logs m ON m.id = hint.id AND m.delivery_date = hint.day "
        "WHERE m.delivery_date BETWEEN $3 AND $4 FOR NO KEY UPDATE OF m;"
        "PREPARE finished (uuid[], date[], date, date) AS UPDATE message_logs m SET trace = m.trace "
        "FROM unnest($1, $2) AS o(id, day) WHERE m.id = o.id AND m.delivery_date = o.day "
        "AND m.delivery_date BETWEEN $3 AND $4");
    // EXPLAIN EXECUTE cannot itself be prepared, so the server runs it from a function.
    connection.execute(
        "CREATE FUNCTION pg_temp.explain(query text) RETURNS SETOF text LANGUAGE plpgsql AS "
        "$$ BEGIN RETURN QUERY EXECUTE 'EXPLAIN (COSTS OFF) EXECUTE ' || query; END $$");
    constexpr postgres::Statement run_explain{"run_explain", "SELECT pg_temp.explain($1)"};
    const auto explain = [&](const std::string& name) {
        std::string plan;
        for (const auto row :
             connection.run(run_explain,
                            name + "(ARRAY[gen_random_uuid()], '{2027-03-05}', '2027-03-05', '2027-03-05')"))
            plan += row.get<std::string>(0) + "\n";
        return plan;
    };
    const auto locked = explain("locked");
    CAPTURE(locked);
    CHECK(visited(locked) == "2027_03 ");
    CHECK(locked.find("Subplans Removed") != std::string::npos);
    CHECK(locked.find("Index") != std::string::npos);
    const auto finished = explain("finished");
    CAPTURE(finished);
    CHECK(finished.find("Subplans Removed") != std::string::npos);
    CHECK(finished.find("Seq Scan") == std::string::npos);
}
