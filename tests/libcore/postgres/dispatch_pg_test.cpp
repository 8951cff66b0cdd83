#include <atomic>
#include <catch2/catch.hpp>
#include <latch>
#include <set>

#include "tests/libcore/postgres/ledger.hpp"

namespace {

const auto nine = at(2027y / 2 / 27, 9h);

/// A ledger at 08:00 with birthdays at 09:00; then it is 09:00.
Ledger& with_due(Ledger& ledger, int count) {
    ledger.set_clock(nine - 1h);
    ledger.people_due(count);
    ledger.set_clock(nine);
    return ledger;
}

using Deliveries = std::span<const domain::Delivery>;

}  // namespace

TEST_CASE("nothing is dispatched before its instant and everything at it") {
    Ledger ledger(nine - 1h);
    ledger.people_due(3);
    ledger.set_clock(nine - 1us);
    CHECK(ledger.dispatch().empty());
    ledger.set_clock(nine);
    CHECK(ledger.dispatch().size() == 3);
}

TEST_CASE("a message is QUEUED only after its publication has returned") {
    Ledger ledger;
    with_due(ledger, 2);
    const auto report = postgres::dispatch(ledger.pool, 10, [&](Deliveries deliveries) {
        CHECK(deliveries.size() == 2);
        CHECK(ledger.count_by_status() == std::map<std::string, int>{{"SCHEDULED", 2}});
    });
    CHECK(report.queued == 2);
    CHECK(ledger.count_by_status() == std::map<std::string, int>{{"QUEUED", 2}});
    for (const auto& message : ledger.messages()) CHECK_FALSE(message.due);
}

TEST_CASE("a publication that fails leaves every row as it was") {
    Ledger ledger;
    with_due(ledger, 3);
    const std::string content = "SELECT string_agg(m::text, ';' ORDER BY id) FROM message_logs m";
    const auto before = ledger.value<std::string>(content);
    CHECK_THROWS_WITH(
        postgres::dispatch(ledger.pool, 10, [](Deliveries) { throw std::runtime_error("nacked"); }),
        "nacked");
    CHECK(ledger.value<std::string>(content) == before);
    CHECK(ledger.value<int>("SELECT count(*) FROM dispatches") == 0);
    CHECK(ledger.dispatch().size() == 3);
}

TEST_CASE("a batch is noted with exactly the messages that were queued") {
    Ledger ledger;
    with_due(ledger, 5);
    ledger.execute(
        "UPDATE message_logs SET scheduled_send_time = scheduled_send_time - interval '3 days' "
        "WHERE id = (SELECT min(id::text)::uuid FROM message_logs)");
    std::set<domain::Uuid> hinted;
    for (const auto& hint : ledger.dispatch()) hinted.insert(hint.message_id);
    CHECK(hinted.size() == 4);
    std::set<domain::Uuid> noted;
    for (const auto row :
         ledger.rows("SELECT message, date FROM dispatches, unnest(ids, dates) AS m(message, date)")) {
        noted.insert(row.get<domain::Uuid>(0));
        CHECK(row.get<domain::Date>(1) == 2027y / 2 / 27);
    }
    CHECK(noted == hinted);
}

TEST_CASE("two dispatchers at once share what is due without overlap", "[threads]") {
    Ledger ledger;
    with_due(ledger, 100);
    std::latch both_hold(2);
    std::array<std::set<domain::Uuid>, 2> taken;
    {
        std::vector<std::jthread> dispatchers;
        for (auto& mine : taken) {
            dispatchers.emplace_back([&] {
                postgres::dispatch(ledger.pool, 50, [&](Deliveries deliveries) {
                    for (const auto& delivery : deliveries) mine.insert(delivery.message_id);
                    both_hold.arrive_and_wait();
                });
            });
        }
    }
    std::set<domain::Uuid> all = taken[0];
    all.merge(taken[1]);
    CHECK(taken[0].size() == 50);
    CHECK(all.size() == 100);
    CHECK(ledger.value<int>(
              "SELECT count(DISTINCT trace) FROM message_logs WHERE trace ~ '^[0-9a-f]{32}$'") == 100);
    CHECK(ledger.count_by_status() == std::map<std::string, int>{{"QUEUED", 100}});
}

TEST_CASE("the longest due go first and no more than the limit") {
    Ledger ledger;
    with_due(ledger, 6);
    ledger.execute(
        "UPDATE message_logs SET due_at = due_at - n * interval '1 minute' FROM "
        "(SELECT id AS which, row_number() OVER (ORDER BY id DESC) AS n FROM message_logs) AS numbered "
        "WHERE id = which");
    std::set<domain::Uuid> first;
    for (const auto row : ledger.rows("SELECT id FROM message_logs ORDER BY due_at LIMIT 2"))
        first.insert(row.get<domain::Uuid>(0));
    std::set<domain::Uuid> taken;
    for (const auto& hint : ledger.dispatch(2)) taken.insert(hint.message_id);
    CHECK(taken == first);
    CHECK(postgres::due_backlog(ledger.pool).due == 4);
    CHECK(postgres::due_backlog(ledger.pool).oldest_due == 4min);
}

TEST_CASE("what is later than its type allows is MISSED or UNKNOWN if in doubt and never published") {
    Ledger ledger;
    with_due(ledger, 3);
    ledger.execute(
        "UPDATE message_logs SET status = 'RETRYING', attempt = 1, in_doubt = true "
        "WHERE id = (SELECT min(id::text)::uuid FROM message_logs)");
    ledger.set_clock(nine + 48h);
    ledger.people_due(1, 2027y / 3 / 1);  // due right now
    ledger.set_clock(nine + 48h + 1s);
    const auto report =
        postgres::dispatch(ledger.pool, 10, [](Deliveries deliveries) { CHECK(deliveries.size() == 1); });
    CHECK(report.missed == 2);
    CHECK(report.unknown == 1);
    CHECK(report.queued == 1);
    for (const auto& message : ledger.messages())
        CHECK(message.needs_attention == (message.status != "QUEUED"));
}

TEST_CASE("a message that is as late as its type allows is still sent") {
    Ledger ledger;
    with_due(ledger, 1);
    ledger.set_clock(nine + 48h);
    CHECK(ledger.dispatch().size() == 1);
}

TEST_CASE("messages of a paused type wait for the end of the pause") {
    Ledger ledger;
    with_due(ledger, 2);
    ledger.execute("UPDATE message_types SET paused_until = '2027-02-27T10:00Z'");
    const auto report = postgres::dispatch(ledger.pool, 10, [](Deliveries) { FAIL("published"); });
    CHECK(report.postponed == 2);
    for (const auto& message : ledger.messages()) {
        CHECK(message.status == "SCHEDULED");
        CHECK(message.due == nine + 1h);
    }
    ledger.set_clock(nine + 1h);
    CHECK(ledger.dispatch().size() == 2);
}

TEST_CASE("a dispatcher learns how long nothing will be due, by real time") {
    Ledger ledger(nine - 30min);
    CHECK(postgres::time_to_next_due(ledger.pool) == std::nullopt);  // no message
    ledger.people_due(2);
    CHECK(postgres::time_to_next_due(ledger.pool) == std::nullopt);  // the clock stands
    ledger.set_clock(nine - 30min, 60);
    const auto wait = postgres::time_to_next_due(ledger.pool);
    REQUIRE(wait);
    CHECK(*wait <= 30s);
    CHECK(*wait > 15s);
    ledger.set_clock(nine);
    CHECK(postgres::time_to_next_due(ledger.pool) == 0us);

    ledger.execute("INSERT INTO delivery_pause (reason, paused_by) VALUES ('stop', 'somebody')");
    CHECK(postgres::time_to_next_due(ledger.pool) == std::nullopt);
    ledger.execute("DELETE FROM delivery_pause");
    CHECK(ledger.dispatch().size() == 2);
    CHECK(postgres::time_to_next_due(ledger.pool) == std::nullopt);
}
