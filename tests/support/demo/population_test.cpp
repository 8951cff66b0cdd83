#include "tests/support/demo/population.hpp"

#include <catch2/catch.hpp>
#include <set>

#include "tests/support/demo/names.hpp"
#include "tests/support/demo/text.hpp"
#include "tests/support/oracle/occasions.hpp"

using namespace std::chrono_literals;

namespace {

const std::vector<std::string> zones{"Asia/Tokyo", "Europe/Athens", "Etc/GMT+3",
                                     "America/Argentina/Buenos_Aires"};

}  // namespace

TEST_CASE("everybody has an e-mail address of their own and zones take turns") {
    const auto people = demo::population(zones, 40, 1);
    std::set<std::string> addresses;
    for (const auto& person : people) addresses.insert(person.email);
    CHECK(addresses.size() == 40);
    CHECK(people[1].timezone == "Europe/Athens");
    CHECK(people[5].timezone == "Europe/Athens");
    CHECK(people[3].location_city == "Buenos Aires");
    CHECK(people[2].location_city == std::nullopt);
}

TEST_CASE("the same seed gives the same people and another seed gives others") {
    CHECK(demo::population(zones, 40, 7) == demo::population(zones, 40, 7));
    CHECK(demo::population(zones, 40, 7) != demo::population(zones, 40, 8));
}

TEST_CASE("two rounds suffice for a birthday on the 28th and one on the 29th in every zone") {
    const auto people = demo::population(zones, 8, 1);
    for (std::size_t i = 0; i < zones.size(); ++i) {
        CHECK(people[i].birthday_date->day() == std::chrono::day(28));
        CHECK(people[i + zones.size()].birthday_date->day() == std::chrono::day(29));
    }
}

TEST_CASE("some are owed nothing within the days of the demo") {
    const domain::Instant begin = std::chrono::sys_days(demo::first_day) + 9h;
    std::size_t silent = 0;
    for (const auto& person : demo::population(zones, 400, 1))
        if (oracle::occasions(person, begin, begin + 50h).empty()) ++silent;
    CHECK(silent > 40);
    CHECK(silent < 280);
}

TEST_CASE("names are those of the place and a zone without people borrows them") {
    std::mt19937_64 random(1);
    for (int i = 0; i < 100; ++i) {
        CHECK(demo::script_of(demo::name_in("Asia/Tbilisi", random).first) == 0x1080);
        CHECK(demo::script_of(demo::name_in("Europe/Athens", random).last) == 0x0380);
        CHECK_FALSE(demo::name_in("Etc/GMT+3", random).first.empty());
    }
}
