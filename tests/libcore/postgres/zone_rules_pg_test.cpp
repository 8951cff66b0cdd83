// What changes with the rules of a zone, as the database tells it.

#include <catch2/catch.hpp>

#include "libcore/postgres/zone_rules_table.hpp"
#include "tests/libcore/postgres/ledger.hpp"
#include "tests/support/servers/zone_server.hpp"

namespace {

using postgres::Pool;
using postgres::Replanned;
using postgres::Statement;

constexpr Statement add_people{"add_people", R"sql(
    INSERT INTO users (id, first_name, last_name, email, timezone, birthday_date)
    SELECT uuid_v7(), 'Ada', 'Byron', $2 || n || '@example.org', $1, '1990-03-11'
    FROM generate_series(1, $3::integer) AS n)sql"};
constexpr Statement planned{
    "planned",
    "SELECT count(*) FROM message_logs WHERE timezone = $1 AND scheduled_send_time = $2::timestamptz"};
constexpr Statement messages{"messages", "SELECT count(*) FROM message_logs WHERE timezone = $1"};
constexpr Statement hint{"hint", R"sql(
    WITH queued AS (
        UPDATE message_logs SET status = 'QUEUED', due_at = NULL WHERE timezone = $1 RETURNING id, delivery_date)
    INSERT INTO dispatches (ids, dates) SELECT array_agg(id), array_agg(delivery_date) FROM queued)sql"};
constexpr Statement statuses{"statuses",
                             "SELECT count(*) FROM message_logs WHERE timezone = $1 AND status = $2"};

const std::string zone = "Test/Zone";

/// At 08:00 UTC of 10 March 2027; every call is a session that knows no zone yet.
class Zones {
public:
    explicit Zones(const std::string& rules) : database((server.put_zone(zone, rules), server.url())) {
        database.connection().execute("SELECT set_clock('2027-03-10 08:00+00', 0)");
    }

    Pool fresh() const { return database.pool(1); }

    void add(int people, const std::string& name = "ada", const std::string& in = zone) const {
        database.connection().run(add_people, in, name, people);
    }

    void execute(const std::string& sql) const { database.connection().execute(sql); }
    void put_into_queue() const { database.connection().run(hint, zone); }

    std::vector<postgres::OutdatedUnit> outdated() const {
        auto pool = fresh();
        return postgres::outdated_units(pool);
    }

    Replanned replan(
        int chunk_size = 1'000,
        const postgres::KeepReplanning& go_on = [](const Replanned&) { return true; }) const {
        auto pool = fresh();
        Replanned total;
        for (const auto& unit : postgres::outdated_units(pool)) {
            total += postgres::replan_outdated(pool, unit, chunk_size, go_on);
        }
        postgres::reopen_skipped_days(pool);
        return total;
    }

    int plan() const {
        auto pool = fresh();
        int count = 0;
        for (const auto& unit : postgres::units_due(pool, 26h))
            count += postgres::plan_unit(pool, unit, 1'000);
        return count;
    }

    int count(const std::string& instant) const {
        return database.connection().run(planned, zone, instant).front().get<int>(0);
    }
    int count() const { return database.connection().run(messages, zone).front().get<int>(0); }
    int count_status(const std::string& status) const {
        return database.connection().run(statuses, zone, status).front().get<int>(0);
    }

    std::vector<std::string> changed() const {
        auto pool = fresh();
        std::vector<std::string> names;
        for (const auto& change : postgres::look_at_zone_rules(pool)) names.push_back(change.timezone);
        return names;
    }

    support::ZoneServer server;
    support::TestDatabase database;
};

struct TwoAhead : Zones {
    TwoAhead() : Zones("2:00 - TWO") {}
};

}  // namespace

TEST_CASE_METHOD(TwoAhead, "a change of a zone's rules is noticed once, in any minute of the coming years") {
    CHECK(changed().empty());
    CHECK(changed().empty());
    server.put_zone(zone, "2:00 - TWO 2028 Oct 3 9:01\n 2:30 - HALF 2028 Oct 12 9:41\n 2:00 - TWO");
    CHECK(changed() == std::vector{zone});
    server.put_zone(zone, "2:00 - TWO 2028 May 3 9:01\n 3:00 - THREE");
    CHECK(changed() == std::vector{zone});
    server.put_zone(zone, "2:00 - TWO 2028 May 3 9:02\n 3:00 - THREE");
    CHECK(changed() == std::vector{zone});
    CHECK(changed().empty());
    server.drop_zone(zone);
    CHECK(changed() == std::vector{zone});
    CHECK(changed().empty());
}

TEST_CASE_METHOD(TwoAhead, "the turn of the year is no change of rules") {
    CHECK(changed().empty());
    auto pool = fresh();
    const auto before = postgres::zone_rules_digest(pool);
    execute("SELECT set_clock('2028-01-01 08:00+00', 0)");
    CHECK(changed().empty());
    CHECK(postgres::zone_rules_digest(pool) != before);
    server.put_zone(zone, "2:00 - TWO 2030 May 3 9:00\n 3:00 - THREE");
    CHECK(changed() == std::vector{zone});
}

TEST_CASE_METHOD(
    TwoAhead,
    "messages that wait, that were tried and that are in the queue move with their zone, and no others") {
    add(3);
    add(4, "other", "Etc/GMT-2");
    CHECK(outdated().empty());
    execute(
        "UPDATE message_logs SET status = 'RETRYING', attempt = 1 WHERE timezone = 'Test/Zone' AND user_id = "
        "(SELECT min(id::text)::uuid FROM users WHERE timezone = 'Test/Zone')");
    server.put_zone(zone, "1:00 - ONE");
    const auto units = outdated();
    REQUIRE(units.size() == 1);
    CHECK(units[0].timezone == zone);
    CHECK(units[0].messages == 3);
    CHECK(units[0].planned == at(2027y / 3 / 11, 7h));
    CHECK(units[0].instant == at(2027y / 3 / 11, 8h));
    CHECK(units[0].planned_ahead == 2h);
    CHECK(units[0].ahead == 1h);
    CHECK(replan().moved == 3);
    CHECK(count("2027-03-11 08:00+00") == 3);
    CHECK(outdated().empty());
    CHECK(replan().moved == 0);

    put_into_queue();
    server.put_zone(zone, "3:00 - THREE");
    CHECK(replan().moved == 3);
    CHECK(count("2027-03-11 06:00+00") == 3);
    CHECK(count_status("QUEUED") == 0);
}

TEST_CASE_METHOD(TwoAhead, "spread messages move with their zone and keep their offsets") {
    execute("UPDATE message_types SET spread = '2 hours'");
    add(50);
    execute("CREATE TABLE before AS SELECT id, scheduled_send_time FROM message_logs");
    CHECK(outdated().empty());
    server.put_zone(zone, "2:30 - HALF");
    CHECK(replan().moved == 50);
    static constexpr Statement by_half{"by_half", R"sql(
        SELECT count(*) FROM before b JOIN message_logs m USING (id)
        WHERE m.scheduled_send_time = b.scheduled_send_time - interval '30 minutes')sql"};
    CHECK(database.connection().run(by_half).front().get<int>(0) == 50);
    CHECK(outdated().empty());
}

TEST_CASE_METHOD(TwoAhead, "a pass that was interrupted between chunks is finished by the next") {
    add(50);
    server.put_zone(zone, "1:00 - ONE");
    CHECK(replan(20, [](const Replanned& so_far) { return so_far.moved < 40; }).moved == 40);
    REQUIRE(outdated().size() == 1);
    CHECK(outdated()[0].messages == 10);
    CHECK(replan(20).moved == 10);
    CHECK(count("2027-03-11 08:00+00") == 50);
}

TEST_CASE_METHOD(TwoAhead,
                 "a time that ceases to exist is skipped, and one that begins to exist is planned") {
    execute("UPDATE message_types SET gap_rule = 'skip'");
    add(3);
    CHECK(plan() == 0);
    server.put_zone(zone, "2:00 - TWO 2027 Mar 11 8:30\n 3:00 - THREE");
    REQUIRE(outdated().size() == 1);
    CHECK_FALSE(outdated()[0].instant);
    CHECK(replan().removed == 3);
    CHECK(count() == 0);
    CHECK(outdated().empty());

    // Also when the planner has been there, and found nothing to plan for the day.
    execute("DELETE FROM plan_runs");
    CHECK(plan() == 0);
    server.put_zone(zone, "2:00 - TWO");
    CHECK(replan().moved == 0);
    CHECK(plan() == 3);
    CHECK(count("2027-03-11 07:00+00") == 3);
    CHECK(replan().moved == 0);
    CHECK(plan() == 0);
}

TEST_CASE_METHOD(TwoAhead, "one at a time works on a generation, and whoever dies leaves it to others") {
    auto pool = fresh();
    CHECK(postgres::zones_are_settled(pool));
    CHECK_FALSE(postgres::take_zone_generation(pool, 1min));
    const int first = postgres::new_zone_generation(pool, 1min);
    CHECK_FALSE(postgres::zones_are_settled(pool));
    CHECK_FALSE(postgres::take_zone_generation(pool, 1min));
    postgres::keep_zone_generation(pool, 0ms);  // its time has passed
    CHECK(postgres::take_zone_generation(pool, 1min) == first);
    const int second = postgres::new_zone_generation(pool, 0ms);
    CHECK_FALSE(postgres::settle_zone_generation(pool, first));
    CHECK_FALSE(postgres::zones_are_settled(pool));
    CHECK(postgres::settle_zone_generation(pool, second));
    CHECK(postgres::zones_are_settled(pool));
}
