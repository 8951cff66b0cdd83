// A real scheduler and the months of the ledger: those to come, and those that are over.

#include <catch2/catch.hpp>

#include "tests/services/drill.hpp"

using namespace drill;

namespace {

int readiness(const support::Service& service) {
    return support::http_get(service.ops_port(), "/readyz").status;
}

bool says(const support::Service& service, const std::string& words) {
    return service.process().log().find(words) != std::string::npos;
}

support::Finished show_partitions(const System& system, const std::string& retention) {
    return support::run("scheduler-svc", {"partitions"},
                        system.environment({{"RETENTION_MONTHS", retention}}));
}

bool contains(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("a scheduler drops the months that are over, keeps what is not final, and a command shows both") {
    System system;
    system.sql.execute(R"sql(
        SELECT ensure_partitions(date '2025-10-01', date '2026-03-01');
        INSERT INTO message_logs (id, user_id, message_type, delivery_date, plan_version, type_version, timezone,
                                  scheduled_send_time, status, created_at, updated_at)
        SELECT uuid_v7(), uuid_v7(), 'BIRTHDAY', day, 1, 1, 'UTC', day, status, day, day
        FROM (VALUES (date '2025-10-05', 'SENT'), (date '2025-11-05', 'QUEUED'), (date '2026-02-05', 'SENT'))
            AS old(day, status))sql");

    const auto everything = show_partitions(system, "0");
    CHECK(everything.exit_code == 0);
    CHECK(contains(everything.output, "everything"));
    const auto due = show_partitions(system, "13");
    CHECK(contains(due.output, "from 2026-02-01 on"));
    CHECK(contains(due.output, "2025-10, 2025-11, 2025-12, 2026-01"));

    auto keeps_all = system.start("scheduler-svc", {{"RETENTION_MONTHS", "0"}});
    REQUIRE(eventually(
        [&] { return metric(keeps_all, "loop_rounds_total{loop=\"housekeeper\",result=\"ok\"}") > 0; }));
    CHECK(metric(keeps_all, "partitions_dropped_total") == 0);
    const double all = metric(keeps_all, "ledger_partitions");
    CHECK(all > 6);
    CHECK(metric(keeps_all, "ledger_bytes") > 0);
    CHECK(keeps_all.stop() == 0);

    auto scheduler = system.start("scheduler-svc");
    REQUIRE(eventually([&] { return metric(scheduler, "partitions_dropped_total") == 3; }));
    CHECK(eventually([&] { return metric(scheduler, "partitions_unfinished") == 1; }));
    CHECK(says(scheduler, "a month is kept past its time"));
    CHECK(readiness(scheduler) == 200);
    CHECK(system.sql.run(postgres::Statement{"left", "SELECT count(*) FROM message_logs"})
              .front()
              .get<int>(0) == 2);
    const auto left = show_partitions(system, "13").output;
    CHECK(contains(left, "2025-11  attached"));
    CHECK_FALSE(contains(left, "2025-10"));
    CHECK_FALSE(contains(left, "2026-01  "));
}

TEST_CASE("a retention that planning reaches into is refused") {
    System system;
    const auto refused = [&](const std::string& months) {
        return support::run("scheduler-svc", {"--check-config"},
                            system.environment({{"RETENTION_MONTHS", months}}));
    };
    for (const std::string months : {"2", "-1", "1201", "a year"}) {
        const auto answer = refused(months);
        CHECK(answer.exit_code == 2);
        CHECK(contains(answer.output, "RETENTION_MONTHS"));
    }
    for (const std::string months : {"0", "3"}) CHECK(refused(months).exit_code == 0);
}

TEST_CASE("where no month can be made delivery goes on, and readiness fails before the months run out") {
    System system;
    auto scheduler = system.start("scheduler-svc");
    const auto worker = system.start("worker-svc");
    REQUIRE(readiness(scheduler) == 200);

    // Some work on the table, such as a VACUUM, that never ends: it keeps a partition from being attached.
    auto stuck = system.database.connection();
    stuck.execute("BEGIN; LOCK TABLE message_logs IN SHARE UPDATE EXCLUSIVE MODE");
    system.sql.execute(
        "UPDATE app_clock SET base = '2027-06-10T08:59:55Z', started_at = clock_timestamp(), factor = 1");
    CHECK(eventually([&] { return readiness(scheduler) == 503; }, 20s));
    CHECK(contains(support::http_get(scheduler.ops_port(), "/readyz").body, "0 months ahead"));
    system.add({.count = 5, .birthday = "1990-06-10"});
    CHECK(system.sent(5));

    stuck.execute("ROLLBACK");
    CHECK(eventually([&] { return readiness(scheduler) == 200; }, 20s));
    CHECK(metric(scheduler, "partitions_ahead") == 3);
}
