#include "libcore/domain/occasion.hpp"

#include <catch2/catch.hpp>

using namespace domain;

namespace {

constexpr OccasionFacts known_type{.type_exists = true};

OccasionInput name_day() {
    return {.message_type = "NAME_DAY", .date = parse_date("2020-03-02")};
}

/// "code field" of each.
std::vector<std::string> faults(const OccasionInput& input, const OccasionFacts& facts = known_type,
                                Errors found = {}) {
    const auto result = validated(input, facts, std::move(found));
    std::vector<std::string> list;
    if (result) return list;
    for (const auto& error : result.errors()) list.push_back(error.code + " " + error.field);
    return list;
}

using Faults = std::vector<std::string>;

}  // namespace

TEST_CASE("an occasion of a type that exists is taken, in the past or the future") {
    CHECK(*validated(name_day(), known_type) == Occasion{"NAME_DAY", *parse_date("2020-03-02"), false});
    auto input = name_day();
    input.date = parse_date("2199-02-28");
    CHECK(faults(input).empty());
    auto facts = known_type;
    facts.passed = true;
    CHECK(faults(input, facts).empty());
}

TEST_CASE("a date that is kept once is refused when its time has passed") {
    auto input = name_day();
    input.one_off = true;
    CHECK(faults(input).empty());
    auto facts = known_type;
    facts.passed = true;
    CHECK(faults(input, facts) == Faults{"in_the_past date"});
}

TEST_CASE("everything that is wrong with an occasion is named at once") {
    CHECK(faults({}, {}) == Faults{"required messageType", "required date"});
    CHECK(faults({.message_type = "NO_SUCH", .date = parse_date("1899-12-31")}, {}) ==
          Faults{"unknown_message_type messageType", "out_of_range date"});
    CHECK(faults({.message_type = "NAME_DAY", .date = parse_date("2201-01-01")}) ==
          Faults{"out_of_range date"});
    CHECK(faults({.message_type = "NAME_DAY", .date = {}}, known_type, {{"impossible_date", "date", "…"}}) ==
          Faults{"impossible_date date"});
}

TEST_CASE("birthday and anniversary are named as fields of the user") {
    auto input = name_day();
    input.message_type = "BIRTHDAY";
    CHECK(faults(input) == Faults{"field_of_user messageType"});
    CHECK_THAT(validated(input, known_type).errors().front().text, Catch::Contains("birthdayDate"));
    input.message_type = "ANNIVERSARY";
    CHECK_THAT(validated(input, known_type).errors().front().text, Catch::Contains("anniversaryDate"));
}

TEST_CASE("a user has each date once and at most a hundred") {
    auto facts = known_type;
    facts.others = 99;
    CHECK(faults(name_day(), facts).empty());
    facts.others = 100;
    CHECK(faults(name_day(), facts) == Faults{"too_many "});
    facts.already_there = true;
    CHECK(faults(name_day(), facts) == Faults{"duplicate date"});
}
