#include <atomic>
#include <catch2/catch.hpp>
#include <set>

#include "tests/libcore/postgres/ledger.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/oracle/occasions.hpp"

namespace {

using Key = std::tuple<std::string, domain::Date, domain::Instant>;  // whose, which day, when

const std::vector<std::string> zones{"UTC",
                                     "Europe/Berlin",
                                     "America/New_York",
                                     "Asia/Kathmandu",
                                     "Pacific/Kiritimati",
                                     "Pacific/Pago_Pago",
                                     "Pacific/Chatham",
                                     "America/Argentina/Buenos_Aires",
                                     "Asia/Tokyo",
                                     "Etc/GMT+12"};

/// Ten birthdays in each zone from 24 February to 5 March, leap day included, with some anniversaries.
std::vector<domain::UserFields> people_everywhere() {
    std::vector<domain::UserFields> people;
    for (const auto& zone : zones) {
        const auto leap_day = std::chrono::sys_days(2000y / 2 / 29);
        for (int day = -5; day <= 5; ++day) {
            auto person = Ledger::born(domain::Date(leap_day + std::chrono::days(day)), zone);
            person.email = zone + std::to_string(day) + "@example.com";
            if (day % 2 == 0) person.anniversary_date = domain::Date(leap_day - std::chrono::days(day));
            people.push_back(person);
        }
    }
    return people;
}

std::multiset<Key> expected(const std::vector<domain::UserFields>& people, domain::Instant from,
                            domain::Instant to) {
    std::multiset<Key> keys;
    for (const auto& person : people)
        for (const auto& owed : oracle::occasions(person, from, to))
            keys.emplace(owed.email, owed.delivery_date, owed.instant);
    return keys;
}

std::multiset<Key> planned(Ledger& ledger) {
    std::multiset<Key> keys;
    for (const auto row : ledger.rows("SELECT u.email, m.delivery_date, m.scheduled_send_time "
                                      "FROM message_logs m JOIN users u ON u.id = m.user_id"))
        keys.emplace(row.get<std::string>(0), row.get<domain::Date>(1), row.get<domain::Instant>(2));
    return keys;
}

std::set<domain::Date> planned_dates(Ledger& ledger) {
    std::set<domain::Date> dates;
    for (const auto& message : ledger.messages()) dates.insert(message.date);
    return dates;
}

}  // namespace

TEST_CASE("the planner makes exactly what an independent calculation expects in many zones") {
    const auto now = GENERATE(at(2027y / 2 / 27, 9h), at(2028y / 2 / 28, 3h));  // a common and a leap year
    Ledger ledger(now);
    const auto people = people_everywhere();
    ledger.add_unplanned(people, domain::to_string(now));

    const int count = ledger.plan();

    const auto all = planned(ledger);
    CHECK(static_cast<int>(all.size()) == count);
    // Units are planned whole: everything up to the horizon and nothing from before the users were known.
    const auto owed = expected(people, now, now + 26h - 1us);
    CHECK(owed.size() > 10);
    CHECK(all == owed);
}

TEST_CASE("tiny chunks plan the same as one big chunk and a second time nothing") {
    const auto now = at(2027y / 2 / 27, 9h);
    const auto people = people_everywhere();
    Ledger whole(now), tiny(now);
    whole.add_unplanned(people, domain::to_string(now));
    tiny.add_unplanned(people, domain::to_string(now));

    CHECK(whole.plan(10'000) == tiny.plan(1));

    CHECK(planned(whole) == planned(tiny));
    CHECK(postgres::units_due(tiny.pool, 26h).empty());
    CHECK(tiny.plan() == 0);
}

TEST_CASE("29 February is kept by the rule of the type in a common year and as itself in a leap year") {
    const auto [rule, year, day] =
        GENERATE(table<std::string, std::chrono::year, int>({{"feb28", 2027y, 228},
                                                             {"mar1", 2027y, 301},
                                                             {"skip", 2027y, 0},
                                                             {"feb28", 2028y, 229},
                                                             {"mar1", 2028y, 229},
                                                             {"skip", 2028y, 229}}));
    CAPTURE(rule, static_cast<int>(year));
    Ledger ledger(at(year / 2 / 27, 0h));
    ledger.execute("UPDATE message_types SET leap_day = '" + rule + "'");
    auto person = Ledger::born(2000y / 2 / 29);
    person.email = "leap@example.com";
    ledger.add_unplanned({person}, domain::to_string(at(year / 2 / 27, 0h)));
    for (const auto now : {at(year / 2 / 27, 0h), at(year / 2 / 28, 0h), at(year / 3 / 1, 0h)}) {
        ledger.set_clock(now);
        ledger.plan(1);
    }

    const auto found = ledger.messages();
    REQUIRE(found.size() == (day == 0 ? 0 : 1));
    if (day != 0) {
        CHECK(found[0].date == year / std::chrono::month(static_cast<unsigned>(day / 100)) /
                                   std::chrono::day(static_cast<unsigned>(day % 100)));
        CHECK(found[0].rule == (day == 229 ? "" : "leap:" + rule));
    }
}

TEST_CASE("the day of birth itself and an anniversary of year 0 send nothing") {
    Ledger ledger(at(2027y / 2 / 27, 0h));
    auto person = Ledger::born(2027y / 2 / 27);
    person.email = "new@example.com";
    person.anniversary_date = 2027y / 2 / 27;
    ledger.add_unplanned({person}, "2027-02-01T00:00Z");
    CHECK(ledger.plan() == 0);
    ledger.set_clock(at(2028y / 2 / 27, 0h));
    CHECK(ledger.plan() == 2);
}

TEST_CASE("two planners at once make no duplicate and no hole", "[threads]") {
    const auto now = at(2027y / 2 / 27, 9h);
    Ledger ledger(now);
    const auto people = people_everywhere();
    ledger.add_unplanned(people, domain::to_string(now));

    std::atomic<int> count{0};
    {
        std::vector<std::jthread> planners;
        for (int i = 0; i < 2; ++i) planners.emplace_back([&] { count += ledger.plan(1); });
    }

    CHECK(planned(ledger) == expected(people, now, now + 26h - 1us));
    CHECK(count == static_cast<int>(ledger.messages().size()));
}

TEST_CASE("a planner interrupted between chunks is followed by one that finishes the unit") {
    Ledger ledger(at(2027y / 2 / 27, 0h));
    std::vector<domain::UserFields> people;
    for (int i = 0; i < 5; ++i) {
        people.push_back(Ledger::born(1990y / 2 / 27));
        people.back().email = std::to_string(i) + "@example.com";
    }
    ledger.add_unplanned(people, "2027-02-26T00:00Z");
    ledger.plan(10);
    ledger.execute("DELETE FROM message_logs; DELETE FROM plan_runs WHERE delivery_date >= '2027-02-27'");

    CHECK_FALSE(ledger.value<bool>("SELECT finished FROM plan_chunk('BIRTHDAY', 'UTC', '2027-02-27', 2)"));
    CHECK(ledger.messages().size() == 2);

    CHECK(ledger.plan(2) == 3);
    CHECK(ledger.messages().size() == 5);
}

TEST_CASE("after an outage of days everything missed meanwhile is planned") {
    const int days = GENERATE(3, 10);
    const auto before = at(2027y / 2 / 20, 12h);
    Ledger ledger(before);
    std::vector<domain::UserFields> people;
    for (int day = 15; day <= 28; ++day)
        for (const auto& zone : zones) {
            people.push_back(Ledger::born(1990y / 2 / std::chrono::day(static_cast<unsigned>(day)), zone));
            people.back().email = zone + std::to_string(day) + "@example.com";
        }
    ledger.add_unplanned(people, domain::to_string(before));
    ledger.plan();

    const auto after = before + std::chrono::days(days);
    ledger.set_clock(after);
    ledger.plan();

    CHECK(planned(ledger) == expected(people, before, after + 26h - 1us));
}

TEST_CASE("a later day is not planned before the days that come first so that none can be hidden") {
    Ledger ledger(at(2027y / 2 / 20, 0h));
    ledger.add(Ledger::born(1990y / 1 / 1));
    ledger.plan();
    std::vector<domain::UserFields> people;
    for (int day = 22; day <= 26; ++day) {
        people.push_back(Ledger::born(1990y / 2 / std::chrono::day(static_cast<unsigned>(day))));
        people.back().email = std::to_string(day) + "@example.com";
    }
    ledger.add_unplanned(people, "2027-02-19T00:00Z");
    ledger.set_clock(at(2027y / 2 / 26, 0h));

    const auto units = postgres::units_due(ledger.pool, 26h);
    CHECK(postgres::plan_unit(ledger.pool, units.back(), 100) == 0);  // and here the planner dies
    ledger.plan();

    CHECK(planned_dates(ledger).size() == 5);
}

TEST_CASE("a custom type with yearly and one-off occasions is planned by the same statements") {
    Ledger ledger(at(2027y / 2 / 27, 0h));
    ledger.execute(
        "INSERT INTO message_types (name, template, send_at, created_at) "
        "VALUES ('RENEWAL', 'Dear {first_name}, {years} since {date}', '12:30', 'epoch')");
    const auto yearly = ledger.add(Ledger::born(1990y / 6 / 1, "Asia/Kathmandu"));
    const auto once = ledger.add(Ledger::born(1990y / 6 / 1));
    ledger.execute("INSERT INTO user_occasions VALUES ('" + domain::to_string(yearly) +
                   "', 'RENEWAL', '2020-03-02', false), ('" + domain::to_string(once) +
                   "', 'RENEWAL', '2027-03-02', true)");
    CHECK(ledger.messages().empty());  // too far ahead

    ledger.set_clock(at(2027y / 3 / 1, 12h));
    CHECK(ledger.plan() == 2);

    CHECK(ledger.message(yearly).scheduled == at(2027y / 3 / 2, 6h + 45min));
    CHECK(ledger.message(once).scheduled == at(2027y / 3 / 2, 12h + 30min));
    ledger.set_clock(at(2028y / 3 / 1, 12h));
    ledger.plan();
    CHECK(ledger.value<int>(
              "SELECT count(*) FROM message_logs WHERE message_type = 'RENEWAL' AND user_id = $1", yearly) ==
          2);
    CHECK(ledger.value<int>(
              "SELECT count(*) FROM message_logs WHERE message_type = 'RENEWAL' AND user_id = $1", once) ==
          1);
}

TEST_CASE("two occasions of one type on one day make one message whatever the chunks") {
    Ledger ledger(at(2028y / 2 / 28, 12h));
    ledger.execute("INSERT INTO message_types (name, template, created_at) VALUES ('RENEWAL', 'x', 'epoch')");
    const auto user = ledger.add(Ledger::born(1990y / 6 / 1));
    // Of two dates that look alike only the earlier is kept: the other is of year 0.
    ledger.execute(
        "ALTER TABLE user_occasions DISABLE TRIGGER USER; INSERT INTO user_occasions SELECT '" +
        domain::to_string(user) +
        "', 'RENEWAL', d, false, 'UTC' FROM unnest('{2028-02-29,2024-02-29,2020-02-29}'::date[]) d");
    CHECK(ledger.plan(1) == 1);
    CHECK(ledger.message(user).date == 2028y / 2 / 29);
}

TEST_CASE("messages that a change made before the planner came are kept and none is made twice") {
    Ledger ledger(at(2027y / 2 / 26, 12h));
    const auto user = ledger.add(Ledger::born(1990y / 2 / 27));
    REQUIRE(ledger.messages().size() == 1);
    std::vector<domain::UserFields> people(3, Ledger::born(1990y / 2 / 27));
    for (std::size_t i = 0; i < people.size(); ++i) people[i].email = std::to_string(i) + "@example.com";
    ledger.add_unplanned(people, "2027-02-01T00:00Z");
    int missing = 3;
    SECTION("a change that is known to have made them") {}
    SECTION("a replan that nothing tells of") {
        ledger.rows("SELECT replan(ARRAY[id]) FROM users WHERE email = '1@example.com'");
        missing = 2;
    }
    const auto before = ledger.message(user);

    const int chunk_size = GENERATE(1, 2, 10'000);
    CHECK(ledger.plan(chunk_size) == missing);

    CHECK(ledger.messages().size() == 4);
    CHECK(ledger.message(user).id == before.id);
    CHECK(postgres::units_due(ledger.pool, 26h).empty());
}

TEST_CASE("planning reads the index of users once, whatever the chunks, and no user") {
    Ledger ledger(at(2027y / 2 / 26, 12h));
    std::vector<domain::UserFields> people(2'000, Ledger::born(1990y / 2 / 27));
    for (std::size_t i = 0; i < people.size(); ++i) {
        people[i].email = std::to_string(i) + "@example.com";
        people[i].anniversary_date = 2020y / 2 / 27;
    }
    ledger.add_unplanned(people, "2027-02-01T00:00Z");
    // Whoever else has begun a transaction before may keep rows from being known as visible to all.
    REQUIRE(support::eventually([&] {
        ledger.execute("VACUUM ANALYZE users");
        return ledger.value<bool>("SELECT relallvisible = relpages FROM pg_class WHERE relname = 'users'");
    }));
    const std::string fetched =
        "SELECT coalesce(sum(idx_tup_fetch), 0)::bigint FROM pg_stat_user_indexes WHERE relname = 'users'";
    ledger.rows("SELECT pg_stat_force_next_flush()");
    const auto before = ledger.value<std::int64_t>(fetched);

    CHECK(ledger.plan(200) == 4'000);

    ledger.rows("SELECT pg_stat_force_next_flush()");
    const std::string read =
        "SELECT sum(idx_tup_read)::bigint FROM pg_stat_user_indexes WHERE indexrelname ~ "
        "'^users_(birth|anni)'";
    REQUIRE(support::eventually([&] { return ledger.value<std::int64_t>(read) >= 4'000; }));
    CHECK(ledger.value<std::int64_t>(read) < 5'000);
    CHECK(ledger.value<std::int64_t>(fetched) - before < 100);
}

TEST_CASE("spread delays each user by the same amount every time and nobody is early") {
    Ledger ledger(at(2027y / 2 / 26, 12h));
    ledger.execute("UPDATE message_types SET spread = '10 hours'");
    const auto ids = ledger.people_due(40, 2027y / 2 / 27);
    const auto nine = at(2027y / 2 / 27, 9h);
    std::map<domain::Uuid, domain::Instant> before;
    for (const auto& message : ledger.messages()) {
        CHECK(message.scheduled >= nine);
        CHECK(message.scheduled < nine + 10h);
        before[message.user] = message.scheduled;
    }
    CHECK(before.size() == ids.size());
    std::set<domain::Instant> different;
    for (const auto& [user, instant] : before) different.insert(instant);
    CHECK(different.size() == ids.size());

    ledger.execute("DELETE FROM message_logs");
    ledger.plan();
    for (const auto& message : ledger.messages()) CHECK(message.scheduled == before[message.user]);
}

TEST_CASE("a user who comes after the unit was planned is not lost to the spread") {
    Ledger ledger(at(2027y / 2 / 26, 10h));
    ledger.execute("UPDATE message_types SET spread = '12 hours'");
    ledger.add(Ledger::born(1990y / 6 / 1));
    ledger.plan();  // up to 27 February 12:00, so the unit of that day is done
    ledger.people_due(40, 2027y / 2 / 27);
    CHECK(ledger.messages().size() == 40);
}

TEST_CASE("a clock that is set back plans from its new now") {
    Ledger ledger(at(2027y / 2 / 26, 12h));
    ledger.add(Ledger::born(1990y / 6 / 1));
    ledger.plan();
    ledger.set_clock(at(2027y / 1 / 10, 12h));
    const auto user = ledger.add(Ledger::born(1990y / 1 / 13));
    CHECK(ledger.messages(user).empty());  // beyond the reach of a change
    ledger.set_clock(at(2027y / 1 / 12, 12h));
    CHECK(ledger.plan() == 1);
    CHECK(ledger.message(user).scheduled == at(2027y / 1 / 13, 9h));
}

TEST_CASE("no occasion within the reach of a new user is taken for a far one on any day of four years") {
    Ledger ledger;
    const std::string days =
        " FROM generate_series(timestamp '2027-01-01', '2030-12-31', '1 day') AS t(today) "
        "CROSS JOIN generate_series(-2, 3) AS n CROSS JOIN LATERAL (SELECT today::date + n AS day) AS d ";
    CHECK(ledger.value<int>("SELECT count(*)" + days +
                            "CROSS JOIN unnest('{1996,1999}'::int[]) AS year "
                            "WHERE to_char(day, 'MMDD') <> '0229' AND NOT may_be_near(make_date(year, "
                            "date_part('month', day)::int, date_part('day', day)::int), today::date)") == 0);
    CHECK(ledger.value<int>("SELECT count(*)" + days +
                            "CROSS JOIN unnest('{feb28,mar1}'::text[]) AS rule "
                            "WHERE falls_on('1996-02-29', false, day, rule) "
                            "AND NOT may_be_near('1996-02-29', today::date)") == 0);
    CHECK_FALSE(ledger.value<bool>("SELECT may_be_near('1990-07-01', '2027-02-27')"));
}

TEST_CASE(
    "a zone that the server no longer knows keeps no other from being planned, and nobody in it from "
    "leaving") {
    Ledger ledger(at(2027y / 2 / 27, 6h));
    const auto stranded = ledger.add(Ledger::born(1990y / 2 / 27));
    const auto other = ledger.add(Ledger::born(1990y / 2 / 28));
    ledger.execute(
        "UPDATE users SET email = email; ALTER TABLE users DISABLE TRIGGER USER; UPDATE users SET timezone = "
        "'Atlantis/Capital' WHERE id = '" +
        domain::to_string(stranded) +
        "'; ALTER TABLE users ENABLE TRIGGER USER; UPDATE message_logs SET timezone = u.timezone FROM users "
        "u WHERE u.id = user_id; INSERT INTO zones_in_use VALUES "
        "('Atlantis/Capital', '2027-01-01Z')");
    const auto before = ledger.message(stranded);

    ledger.set_clock(at(2027y / 2 / 27, 12h));
    ledger.plan();
    CHECK(postgres::units_due(ledger.pool, 26h).empty());
    CHECK(ledger.message(other).scheduled == at(2027y / 2 / 28, 9h));
    ledger.rows("SELECT replan(ARRAY[$1::uuid])", stranded);
    ledger.execute("UPDATE message_types SET send_at = '10:00'");
    ledger.finish_type_changes();
    CHECK(ledger.message(stranded).scheduled == before.scheduled);
    CHECK(ledger.message(other).scheduled == at(2027y / 2 / 28, 10h));

    SECTION("by moving") {
        ledger.change(stranded, [](domain::UserFields& fields) { fields.timezone = "America/New_York"; });
        CHECK(ledger.message(stranded).scheduled == at(2027y / 2 / 27, 15h));
    }
    SECTION("by going") {
        postgres::delete_user(ledger.pool, stranded);
        CHECK(ledger.message(stranded).status == "CANCELLED");
    }
}

TEST_CASE("a chunk is as large as fits its time") {
    postgres::ChunkSize size;
    const int before = size.users();
    size.learn(50ms);
    CHECK(size.users() == before);
    size.learn(100ms);
    CHECK(size.users() == before / 2);
    size.learn(10s);
    CHECK(size.users() == before / 4);
    for (int i = 0; i < 20; ++i) size.learn(10s);
    const int least = size.users();
    CHECK(least > 0);
    size.learn(1ms);
    CHECK(size.users() == 2 * least);
    for (int i = 0; i < 20; ++i) size.learn(1us);
    const int most = size.users();
    CHECK(most > before);
    size.learn(40ms);
    CHECK(size.users() == most);

    postgres::ChunkSize fixed(7);
    fixed.learn(10s);
    CHECK(fixed.users() == 7);
}
