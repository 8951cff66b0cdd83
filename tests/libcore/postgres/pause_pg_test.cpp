#include "libcore/postgres/pause_table.hpp"

#include <catch2/catch.hpp>

#include "tests/libcore/postgres/ledger.hpp"

namespace {

const auto nine = at(2027y / 2 / 27, 9h);

/// The action and actor of every entry about deliveries, oldest first.
std::vector<std::string> audit(Ledger& ledger) {
    std::vector<std::string> entries;
    for (const auto row :
         ledger.rows("SELECT actor || ': ' || action || ' ' || coalesce(detail->>'reason', '-') "
                     "FROM audit_log WHERE subject = 'deliveries' ORDER BY id"))
        entries.push_back(row.get<std::string>(0));
    return entries;
}

}  // namespace

TEST_CASE("while deliveries are paused nothing is dispatched and what is due stays as it is") {
    Ledger ledger(nine);
    ledger.people_due(3);
    REQUIRE(postgres::pause_deliveries(ledger.pool, "ops", "a wrong text", {}));
    CHECK(ledger.dispatch().empty());
    CHECK(ledger.count_by_status() == std::map<std::string, int>{{"SCHEDULED", 3}});
    CHECK(postgres::due_backlog(ledger.pool).due == 3);
    CHECK(postgres::resume_deliveries(ledger.pool, "ops", {}));
    CHECK(ledger.dispatch().size() == 3);
}

TEST_CASE("a claim during a pause gives the rows back with neither budget nor doubt spent") {
    Ledger ledger(nine);
    ledger.people_due(3);
    const auto hints = ledger.dispatch();
    auto older = hints[0];
    older.attempt = -1;
    REQUIRE(postgres::pause_deliveries(ledger.pool, "ops", "a wrong text", {}));
    const auto report = ledger.claim({hints[0], hints[1], hints[2], older});
    CHECK(report.claimed.empty());
    CHECK(report.outdated.empty());
    CHECK(report.given_back == 3);
    for (const auto& message : ledger.messages()) {
        CHECK(message.status == "RETRYING");
        CHECK(message.due == nine);
        CHECK(message.attempt == 0);
        CHECK(message.failures == 0);
        CHECK_FALSE(message.in_doubt);
        CHECK(message.content.empty());
    }
    CHECK(ledger.claim(hints).given_back == 0);  // a redelivered copy
    postgres::resume_deliveries(ledger.pool, "ops", {});
    CHECK(ledger.claim(hints).claimed.empty());
    CHECK(ledger.claim(ledger.dispatch()).claimed.size() == 3);
}

TEST_CASE("a pause ends by itself when its time has come on the ledger's clock") {
    Ledger ledger(nine);
    ledger.people_due(1);
    REQUIRE(postgres::pause_deliveries(ledger.pool, "ops", "why", nine + 10min));
    ledger.set_clock(nine + 10min - 1us);
    CHECK(postgres::current_pause(ledger.pool));
    CHECK(ledger.dispatch().empty());
    ledger.set_clock(nine + 10min);
    CHECK_FALSE(postgres::current_pause(ledger.pool));
    CHECK_FALSE(postgres::resume_deliveries(ledger.pool, "ops", {}));
    CHECK(ledger.claim(ledger.dispatch()).claimed.size() == 1);
}

TEST_CASE("a pause must end in the future") {
    Ledger ledger(nine);
    const auto refused = postgres::pause_deliveries(ledger.pool, "ops", "why", nine);
    REQUIRE_FALSE(refused);
    CHECK(refused.errors().front().field == "until");
    CHECK_FALSE(postgres::current_pause(ledger.pool));
    CHECK(audit(ledger).empty());
}

TEST_CASE("pausing again replaces reason and end and keeps the beginning as long as the pause held") {
    Ledger ledger(nine);
    REQUIRE(postgres::pause_deliveries(ledger.pool, "ada", "first", nine + 1h));
    ledger.set_clock(nine + 30min);
    const auto again = postgres::pause_deliveries(ledger.pool, "bob", "second", {});
    REQUIRE(again);
    CHECK(again->reason == "second");
    CHECK(again->by == "bob");
    CHECK(again->since == nine);
    CHECK_FALSE(again->until);
    CHECK(postgres::pause_deliveries(ledger.pool, "bob", "third", nine + 40min)->since == nine);
    ledger.set_clock(nine + 50min);
    CHECK(postgres::pause_deliveries(ledger.pool, "bob", "fourth", {})->since == nine + 50min);
}

TEST_CASE("every pause and every end by hand is in the audit log with its actor") {
    Ledger ledger(nine);
    CHECK_FALSE(postgres::resume_deliveries(ledger.pool, "ada", {}));
    REQUIRE(postgres::pause_deliveries(ledger.pool, "ada", "a wrong text", {}));
    REQUIRE(postgres::pause_deliveries(ledger.pool, "bob", "still wrong", nine + 1h));
    CHECK(postgres::resume_deliveries(ledger.pool, "eve", std::string("mended")));
    CHECK(postgres::current_pause(ledger.pool) == std::nullopt);
    CHECK(audit(ledger) == std::vector<std::string>{"ada: deliveries paused a wrong text",
                                                    "bob: deliveries paused still wrong",
                                                    "eve: deliveries resumed mended"});
}

TEST_CASE("what grows too old during a pause is missed when it ends") {
    Ledger ledger(nine);
    const auto user = ledger.people_due(1).front();
    REQUIRE(postgres::pause_deliveries(ledger.pool, "ops", "why", {}));
    ledger.set_clock(nine + 48h + 1s);
    CHECK(ledger.dispatch().empty());
    CHECK(ledger.message(user).status == "SCHEDULED");
    postgres::resume_deliveries(ledger.pool, "ops", {});
    CHECK(ledger.dispatch().empty());
    CHECK(ledger.message(user).status == "MISSED");
}
