#include "libcore/domain/day_explanation.hpp"

#include <catch2/catch.hpp>
#include <set>

using namespace domain;
using namespace std::chrono_literals;

namespace {

const Date day = 2027y / 3 / 1;
const Instant nine = std::chrono::sys_days(day) + 9h;

/// Somebody who keeps the day, known for years; it is past and planned.
DayFacts kept_day() {
    DayFacts facts;
    facts.now = nine + 24h;
    facts.type = "BIRTHDAY";
    facts.day = day;
    facts.timezone = "Europe/Berlin";
    facts.user_created_at = nine - 24h * 365;
    facts.user_changed_at = facts.user_created_at;
    facts.leap_day = "feb28";
    facts.gap_rule = "skip";
    facts.occasions = {{.date = 1990y / 3 / 1, .one_off = false, .kept = true, .kept_on = day}};
    facts.instant = nine;
    facts.within_horizon_at = nine - 26h;
    facts.planned = true;
    facts.first_unplanned = 2027y / 3 / 3;
    return facts;
}

DayFacts keeping(KeptOccasion occasion) {
    auto facts = kept_day();
    facts.occasions = {std::move(occasion)};
    return facts;
}

bool says(const Explanation& explanation, const std::string& words) {
    return explanation.text.find(words) != std::string::npos;
}

std::optional<FactValue> fact(const Explanation& explanation, const std::string& name) {
    for (const auto& one : explanation.facts)
        if (one.name == name) return one.value;
    return std::nullopt;
}

}  // namespace

TEST_CASE("every reason for having no message has its explanation") {
    struct Row {
        std::string code;
        DayFacts facts;
        std::string words;
    };
    std::vector<Row> rows;
    const auto row = [&](const char* code, DayFacts facts, const char* words) -> DayFacts& {
        rows.push_back({code, std::move(facts), words});
        return rows.back().facts;
    };
    row("no_such_type", kept_day(), "no message type BIRTHDAY").type_exists = false;
    row("type_deleted", kept_day(), "was deleted at 2027-03-01T08:00:00Z").type_deleted_at = nine - 1h;
    row("no_such_occasion", kept_day(), "no date of the type BIRTHDAY").occasions.clear();
    row("not_this_day", keeping({1990y / 5 / 7, false, false, 2027y / 5 / 7}), "kept on 05-07.");
    row("not_this_day", keeping({1992y / 2 / 29, false, false, 2027y / 2 / 28}),
        "kept on 02-28 in that year by the type's rule for 29 February");
    row("not_this_day", keeping({2026y / 5 / 7, true, false, {}}), "kept on 05-07, in one year only");
    row("first_year", keeping({2027y / 3 / 1, false, false, {}}),
        "from the year after it on, so not in 2027");
    row("first_year", keeping({2030y / 5 / 7, false, false, {}}),
        "from the year after it on, so not in 2027");
    row("skipped_by_rule", keeping({1992y / 2 / 29, false, false, {}}), "skips years without that day")
        .leap_day = "skip";
    row("skipped_by_rule", kept_day(), "The clock in Europe/Berlin skips").instant.reset();
    row("unknown_timezone", kept_day(), "does not know Europe/Berlin").zone_known = false;
    row("not_known_in_time", kept_day(), "was added at 2027-03-01T10:00:00Z, after its time")
        .user_created_at = nine + 1h;
    row("not_known_in_time", kept_day(), "last changed at 2027-03-01T10:00:00Z, after its time")
        .user_changed_at = nine + 1h;
    row("type_not_known_in_time", kept_day(), "was made at").type_created_at = nine + 1h;
    row("type_not_known_in_time", kept_day(), "rules were changed at").type_rules_changed_at = nine + 1h;
    row("deleted", kept_day(), "was deleted at 2027-03-01T08:00:00Z").user_deleted_at = nine - 1h;
    row("opted_out", kept_day(), "has opted out").opted_out = true;
    {
        auto& coming = row("not_planned_yet", kept_day(), "planned from 2027-02-28T07:00:00Z on");
        coming.now = nine - 27h;
        coming.planned = false;
        coming.first_unplanned = day;
    }
    {
        auto& behind =
            row("planner_behind", kept_day(), "should be in the ledger since 2027-02-28T07:00:00Z");
        behind.now = nine - 26h;
        behind.planned = false;
        behind.first_unplanned = 2027y / 2 / 26;
    }
    {
        auto& behind = row("planner_behind", kept_day(), "planned and sent late once the planner works");
        behind.planned = false;
        behind.first_unplanned = day;
        // Whatever is not planned yet is owed, by whatever rules.
        behind.type_rules_changed_at = nine + 1h;
    }
    row("removed", keeping({1990y / 5 / 7, false, false, 2027y / 5 / 7}),
        "removed at 2027-03-01T06:00:00Z, when the user or the type changed. As things stand: The date is "
        "kept on 05-07")
        .removal = Removal{nine - 3h, nine};
    row("too_old_to_know", kept_day(), "keeps nothing of that month").month_is_kept = false;
    row("unexplained", kept_day(), "This should not happen");

    std::set<std::string> codes;
    for (const auto& [code, facts, words] : rows) {
        const auto explanation = explain(facts);
        CAPTURE(explanation.text, words);
        CHECK(explanation.code == code);
        CHECK(says(explanation, words));
        codes.insert(code);
    }
    CHECK(codes.size() == 16);
}

TEST_CASE("no explanation tells the year of a date, and of somebody who is gone neither date nor time zone") {
    const auto occasion = GENERATE(values<KeptOccasion>({
        {1990y / 5 / 7, false, false, 2027y / 5 / 7},
        {1992y / 2 / 29, false, false, 2027y / 2 / 28},
        {1992y / 2 / 29, false, false, {}},
        {2028y / 5 / 7, false, false, {}},
        {2029y / 5 / 7, true, false, {}},
    }));
    auto facts = keeping(occasion);
    const auto tells = [&](const std::string& words) {
        const auto explanation = explain(facts);
        CAPTURE(explanation.text);
        bool told = says(explanation, words);
        for (const auto& [name, value] : explanation.facts) {
            if (const auto* date = std::get_if<Date>(&value))
                told = told || to_string(*date).find(words) != std::string::npos;
            if (const auto* text = std::get_if<std::string>(&value))
                told = told || text->find(words) != std::string::npos;
        }
        return told;
    };
    const auto year = std::to_string(static_cast<int>(occasion.date.year()));
    const auto day_of_year = to_string(occasion.kept_on.value_or(occasion.date)).substr(4);
    CHECK_FALSE(tells(year));
    CHECK(tells(day_of_year.substr(1)));
    CHECK(tells("Europe/Berlin"));

    facts.user_deleted_at = facts.user_changed_at = nine + 1h;
    CHECK(explain(facts).code == "not_this_day");
    CHECK_FALSE(tells(day_of_year));
    CHECK_FALSE(tells("Europe/Berlin"));
    CHECK_FALSE(fact(explain(facts), "scheduledSendTime"));
    facts.instant.reset();
    facts.user_deleted_at = facts.user_changed_at = nine + 30h;
    facts.occasions.front().kept = true;
    CHECK(explain(facts).code == "skipped_by_rule");
    CHECK_FALSE(tells("Europe/Berlin"));
    facts.user_deleted_at = nine - 1h;
    facts.occasions.front().kept = false;
    CHECK(explain(facts).code == "deleted");
    facts.user_created_at = nine + 400 * 24h;
    facts.user_deleted_at.reset();
    CHECK(explain(facts).code == "not_known_in_time");
}

TEST_CASE("no fact of a day comes twice") {
    auto facts = kept_day();
    facts.zone_known = false;
    facts.instant.reset();
    std::set<std::string> names;
    for (const auto& one : explain(facts).facts) CHECK(names.insert(one.name).second);
    CHECK(names.contains("timezone"));
}

TEST_CASE("what changed after a past day is said to be unknown for it") {
    auto facts = keeping({1990y / 5 / 7, false, false, 2027y / 5 / 7});
    CHECK_FALSE(says(explain(facts), "as they are now"));
    facts.user_changed_at = nine + 1h;
    CHECK(
        says(explain(facts), "goes by the user as they are now: they were changed at 2027-03-01T10:00:00Z"));
    CHECK(fact(explain(facts), "userChangedAt") == FactValue(nine + 1h));
    facts.type_rules_changed_at = nine + 2h;
    CHECK(says(explain(facts), "by the type's rules of today, which were set at 2027-03-01T11:00:00Z"));

    facts.now = nine - 1h;
    CHECK_FALSE(says(explain(facts), "as they are now"));
}

TEST_CASE("somebody who left after the time of a day got nothing before for another reason") {
    auto deleted = kept_day();
    deleted.user_deleted_at = deleted.user_changed_at = nine + 1h;
    CHECK(explain(deleted).code == "not_known_in_time");
    CHECK(fact(explain(deleted), "deletedAt") == FactValue(nine + 1h));

    auto out = kept_day();
    out.opted_out = true;
    out.user_changed_at = nine + 1h;
    CHECK(explain(out).code == "not_known_in_time");
    out.now = nine - 1h;
    out.user_changed_at = nine - 2h;
    CHECK(explain(out).code == "opted_out");
}

TEST_CASE("of several dates the nearest is told") {
    auto facts = kept_day();
    facts.occasions = {{1990y / 9 / 9, false, false, 2027y / 9 / 9},
                       {1991y / 3 / 4, false, false, 2027y / 3 / 4},
                       {2027y / 1 / 1, true, false, {}}};
    const auto explanation = explain(facts);
    CHECK(fact(explanation, "keptOn") == FactValue(Date(2027y / 3 / 4)));
    CHECK(says(explanation, "3 dates of the type"));
}

TEST_CASE(
    "a month that the ledger has no place for is no excuse for somebody who came later, or for the future") {
    auto facts = kept_day();
    facts.month_is_kept = false;
    facts.user_created_at = nine + 1h;
    CHECK(explain(facts).code == "not_known_in_time");

    facts = kept_day();
    facts.month_is_kept = false;
    facts.now = nine - 24h * 200;
    facts.planned = false;
    facts.first_unplanned = 2026y / 8 / 1;
    CHECK(explain(facts).code == "not_planned_yet");
}

TEST_CASE("a message that was removed may come again") {
    auto facts = kept_day();
    facts.now = nine - 48h;
    facts.planned = false;
    facts.first_unplanned = 2027y / 2 / 28;
    facts.removal = Removal{nine - 72h, nine};
    const auto explanation = explain(facts);
    CHECK(explanation.code == "not_planned_yet");
    CHECK(says(explanation, "One that was planned before was removed"));
}
