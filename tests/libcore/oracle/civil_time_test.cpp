#include "tests/support/oracle/civil_time.hpp"

#include <catch2/catch.hpp>

namespace {

using namespace std::chrono_literals;
using oracle::wall_time;
using oracle::Zone;
using std::chrono::sys_days;

TEST_CASE("a wall time in a gap moves forward by the length of the gap") {
    const auto berlin = Zone("Europe/Berlin").instant_of(wall_time(2027y / 3 / 28, 2h + 30min));
    CHECK(berlin == sys_days(2027y / 3 / 28) + 1h + 30min);
    CHECK(Zone("Europe/Berlin").wall_time_at(berlin) == wall_time(2027y / 3 / 28, 3h + 30min));

    const Zone lord_howe("Australia/Lord_Howe");
    const auto half_hour = lord_howe.instant_of(wall_time(2027y / 10 / 3, 2h + 15min));
    CHECK(lord_howe.wall_time_at(half_hour) == wall_time(2027y / 10 / 3, 2h + 45min));
}

TEST_CASE("a wall time that happens twice means the first") {
    const auto instant = Zone("Europe/Berlin").instant_of(wall_time(2027y / 10 / 31, 2h + 30min));
    CHECK(instant == sys_days(2027y / 10 / 31) + 30min);
}

TEST_CASE("the transitions of a zone are those of its offset") {
    const auto found = Zone("Europe/Berlin").transitions(sys_days(2027y / 1 / 1), sys_days(2028y / 1 / 1));
    REQUIRE(found.size() == 2);
    CHECK(found[0].instant == sys_days(2027y / 3 / 28) + 1h);
    CHECK(found[0].before == 1h);
    CHECK(found[0].after == 2h);
    CHECK(found[1].instant == sys_days(2027y / 10 / 31) + 1h);
    CHECK(Zone("Asia/Kathmandu").transitions(sys_days(2027y / 1 / 1), sys_days(2028y / 1 / 1)).empty());
}

TEST_CASE("an unknown zone is refused") {
    CHECK_THROWS_AS(Zone("Mars/Olympus"), std::runtime_error);
}

}  // namespace
