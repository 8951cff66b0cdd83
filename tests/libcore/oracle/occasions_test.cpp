#include "tests/support/oracle/occasions.hpp"

#include <catch2/catch.hpp>

namespace {

using namespace std::chrono_literals;
using std::chrono::sys_days;

domain::UserFields person(const std::string& zone) {
    domain::UserFields fields;
    fields.first_name = "Ana";
    fields.last_name = "Ćosić";
    fields.email = "ana@example.org";
    fields.timezone = zone;
    return fields;
}

std::vector<oracle::Occasion> in_year(const domain::UserFields& someone, std::chrono::year year) {
    return oracle::occasions(someone, sys_days(year / 1 / 1), sys_days(year / 12 / 31) + 24h - 1us);
}

TEST_CASE("a birthday is due at nine on the recipient's clock") {
    auto ana = person("Asia/Kathmandu");
    ana.birthday_date = 1990y / 5 / 17;
    const auto owed = in_year(ana, 2027y);
    REQUIRE(owed.size() == 1);
    CHECK(owed[0].instant == sys_days(2027y / 5 / 17) + 3h + 15min);
    CHECK(owed[0].delivery_date == 2027y / 5 / 17);
    CHECK(owed[0].text == "Hey, Ana Ćosić it's your birthday");
}

TEST_CASE("29 February is kept on the 28th in a common year and on itself in a leap year") {
    auto ana = person("UTC");
    ana.birthday_date = 1992y / 2 / 29;
    ana.anniversary_date = 2024y / 2 / 29;
    const auto common = in_year(ana, 2027y);
    REQUIRE(common.size() == 2);
    CHECK(common[0].instant == sys_days(2027y / 2 / 28) + 9h);
    CHECK(common[1].instant == sys_days(2027y / 2 / 28) + 9h);
    const auto leap = in_year(ana, 2028y);
    REQUIRE(leap.size() == 2);
    CHECK(leap[0].delivery_date == 2028y / 2 / 29);
}

TEST_CASE("an anniversary counts its years from the first and the year of the date itself sends nothing") {
    auto ana = person("Pacific/Niue");
    ana.anniversary_date = 2026y / 3 / 1;
    CHECK(in_year(ana, 2026y).empty());
    CHECK(in_year(ana, 2027y).at(0).text == "Hey, Ana Ćosić it's your work anniversary! 1 year with us!");
    CHECK(in_year(ana, 2028y).at(0).text == "Hey, Ana Ćosić it's your work anniversary! 2 years with us!");
}

TEST_CASE("nobody is greeted on the day of birth itself") {
    auto ana = person("UTC");
    ana.birthday_date = 2027y / 3 / 1;
    CHECK(in_year(ana, 2027y).empty());
}

TEST_CASE("1 January on Kiritimati is due in the old UTC year") {
    auto ana = person("Pacific/Kiritimati");
    ana.birthday_date = 1980y / 1 / 1;
    CHECK(in_year(ana, 2026y).at(0).instant == sys_days(2026y / 12 / 31) + 19h);
}

TEST_CASE("both ends of the period belong to it") {
    auto ana = person("UTC");
    ana.birthday_date = 1980y / 2 / 27;
    const domain::Instant nine = sys_days(2027y / 2 / 27) + 9h;
    CHECK(oracle::occasions(ana, nine, nine + 1h).size() == 1);
    CHECK(oracle::occasions(ana, nine - 1h, nine).size() == 1);
    CHECK(oracle::occasions(ana, nine + 1us, nine + 1h).empty());
}

TEST_CASE("who opted out is owed nothing") {
    auto ana = person("UTC");
    ana.birthday_date = 1980y / 2 / 27;
    ana.opted_out = true;
    CHECK(in_year(ana, 2027y).empty());
}

}  // namespace
