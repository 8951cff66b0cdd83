#include <catch2/catch.hpp>
#include <cstdint>
#include <set>

#include "tests/support/oracle/civil_time.hpp"
#include "tests/support/postgres_fixture.hpp"

using namespace std::chrono_literals;
using domain::Instant;
using oracle::WallTime;
using oracle::Zone;
using std::chrono::sys_days;

namespace {

const sys_days first_day = 2026y / 12 / 1;
const sys_days last_day = 2028y / 11 / 30;

constexpr postgres::Statement zone_names{"zone_names", R"(
    SELECT name FROM pg_timezone_names
    WHERE name NOT LIKE 'posix/%' AND name NOT IN ('localtime', 'Factory', 'posixrules')
    ORDER BY name)"};

constexpr postgres::Statement civil_times{"civil_times", R"(
    SELECT extract(epoch FROM civil.instant)::bigint, coalesce(civil.rule, '')
    FROM unnest($2::bigint[]) WITH ORDINALITY AS reading (seconds, position)
    CROSS JOIN LATERAL (SELECT timestamp 'epoch' + seconds * interval '1 second' AS at) AS wall
    CROSS JOIN LATERAL civil_time(wall.at::date, wall.at::time, stored_zone($1), 'shift_forward', 'first') AS civil
    ORDER BY position)"};

struct Answer {
    std::int64_t instant;  // seconds since the epoch
    std::string rule;
};

std::vector<std::string> all_zones(postgres::Connection& database) {
    std::vector<std::string> names;
    for (const auto row : database.run(zone_names)) names.push_back(row.get<std::string>(0));
    return names;
}

/// What the database makes of these readings of one zone's clock.
std::vector<Answer> ask(postgres::Connection& database, const std::string& zone,
                        const std::vector<WallTime>& readings) {
    std::vector<std::int64_t> seconds;
    for (const auto reading : readings) seconds.push_back(reading.time_since_epoch().count());
    std::vector<Answer> answers;
    for (const auto row : database.run(civil_times, zone, seconds))
        answers.push_back({row.get<std::int64_t>(0), row.get<std::string>(1)});
    return answers;
}

std::int64_t epoch_seconds(Instant instant) {
    return std::chrono::floor<std::chrono::seconds>(instant).time_since_epoch().count();
}

std::vector<WallTime> every_day(std::initializer_list<std::chrono::seconds> times) {
    std::vector<WallTime> readings;
    for (auto day = first_day; day <= last_day; day += std::chrono::days(1))
        for (const auto time : times) readings.push_back(oracle::wall_time(day, time));
    return readings;
}

}  // namespace

TEST_CASE("the database agrees with the independent calculation in every zone on each day of two years") {
    const support::TestDatabase test_database;
    auto database = test_database.connection();
    const auto readings = every_day({9h, 30min, 2h + 30min});
    const auto zones = all_zones(database);
    CHECK(zones.size() > 400);

    for (const auto& name : zones) {
        const Zone zone(name);
        const auto answers = ask(database, name, readings);
        REQUIRE(answers.size() == readings.size());
        std::vector<std::string> disagreements;
        for (std::size_t i = 0; i < readings.size(); ++i) {
            const auto expected = zone.instant_of(readings[i]);
            if (answers[i].instant != epoch_seconds(expected))
                disagreements.push_back(domain::to_string(expected));
        }
        CAPTURE(name, disagreements.size());
        CHECK((disagreements.empty() ? "none" : "first at " + disagreements.front()) == "none");
    }
}

TEST_CASE("the middle of every gap and fold of two years has the instant and the rule it should") {
    const support::TestDatabase test_database;
    auto database = test_database.connection();

    int gaps = 0;
    int folds = 0;
    for (const auto& name : all_zones(database)) {
        const Zone zone(name);
        for (const auto& change : zone.transitions(first_day, last_day)) {
            // From the wall clock's reading at the change to the one it jumps to lies the gap, or the fold.
            const auto jump = change.after - change.before;
            const WallTime middle(
                std::chrono::floor<std::chrono::seconds>(change.instant).time_since_epoch() + change.before +
                jump / 2);
            const auto expected = change.instant + jump / 2;
            const auto answer = ask(database, name, {middle}).at(0);
            CAPTURE(name, domain::to_string(change.instant));
            CHECK(answer.instant == epoch_seconds(expected));
            CHECK(answer.instant == epoch_seconds(zone.instant_of(middle)));
            CHECK(answer.rule == (jump > 0s ? "gap:shift_forward" : "fold:first"));
            ++(jump > 0s ? gaps : folds);
        }
    }
    CHECK(gaps > 100);
    CHECK(folds > 100);
}

TEST_CASE("nine in the morning comes at every whole offset from UTC-12 to UTC+14") {
    const support::TestDatabase test_database;
    auto database = test_database.connection();
    const auto nine = oracle::wall_time(2027y / 2 / 28, 9h);

    std::set<std::int64_t> offsets;
    for (const auto& name : all_zones(database)) {
        const auto offset = nine.time_since_epoch().count() - ask(database, name, {nine}).at(0).instant;
        if (offset % 3600 == 0) offsets.insert(offset / 3600);
    }
    std::set<std::int64_t> expected;
    for (std::int64_t hours = -12; hours <= 14; ++hours) expected.insert(hours);
    CHECK(offsets == expected);
}

TEST_CASE("zones with unusual offsets and linked names are among those tested") {
    const support::TestDatabase test_database;
    auto database = test_database.connection();
    const auto zones = all_zones(database);
    const std::set<std::string> known(zones.begin(), zones.end());
    for (const auto* name : {"Australia/Lord_Howe", "Pacific/Kiritimati", "Pacific/Niue", "Africa/Casablanca",
                             "Antarctica/Troll", "Asia/Kathmandu", "Asia/Katmandu", "Pacific/Chatham",
                             "America/Argentina/Buenos_Aires", "Etc/GMT+12", "US/Pacific", "UTC"})
        CHECK(known.count(name) == 1);
}
