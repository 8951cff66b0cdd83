#include "libcore/domain/day_explanation.hpp"

#include <algorithm>

namespace domain {

namespace {

std::string name_of(const DayFacts& facts) {
    return facts.type + " message";
}

/// Not told of somebody who is gone.
std::string zone_of(const DayFacts& facts) {
    return facts.user_deleted_at ? "the user's time zone" : facts.timezone;
}

/// The moment that decides what was known in time; for a day that a rule skips, its end in the farthest zone.
Instant moment_of(const DayFacts& facts) {
    return facts.instant.value_or(std::chrono::sys_days(facts.day) + std::chrono::hours(36));
}

bool is_past(const DayFacts& facts) {
    return moment_of(facts) <= facts.now;
}

/// What is said of a past day goes by dates and rules of today.
void warn_of_changes(Explanation& explanation, const DayFacts& facts) {
    if (!is_past(facts)) return;
    const auto moment = moment_of(facts);
    if (facts.user_changed_at > moment) {
        explanation
            .say("This goes by the user as they are now: they were changed at " +
                 spoken(facts.user_changed_at) +
                 ", after that day's time, and what they were before is not kept.")
            .with("userChangedAt", facts.user_changed_at);
    }
    if (facts.type_rules_changed_at > moment) {
        explanation
            .say("It also goes by the type's rules of today, which were set at " +
                 spoken(facts.type_rules_changed_at) + ".")
            .with("typeRulesChangedAt", facts.type_rules_changed_at);
    }
}

std::optional<Explanation> without_occasion(const DayFacts& facts) {
    if (!facts.occasions.empty()) return std::nullopt;
    return Explanation{"no_such_occasion", "The user has no date of the type " + facts.type + "."};
}

bool is_leap_day(const Date& date) {
    return date.month() == std::chrono::February && date.day() == std::chrono::day(29);
}

bool same_month_and_day(const Date& one, const Date& other) {
    return one.month() == other.month() && one.day() == other.day();
}

/// Without the year, which for a birthday says how old somebody is.
std::string day_of(const Date& date) {
    return to_string(date).substr(std::string_view("2027-").size());
}

/// Of a date that is not kept on the day.
Explanation on_another_day(const KeptOccasion& occasion, const DayFacts& facts) {
    Explanation explanation;
    const auto kept = "The date is kept on " + day_of(occasion.kept_on.value_or(occasion.date));
    const bool begun = occasion.date.year() < facts.day.year();
    if (occasion.one_off) {
        explanation = {"not_this_day", kept + ", in one year only."};
    } else if (!begun) {
        explanation = {"first_year", kept + " from the year after it on, so not in " +
                                         std::to_string(static_cast<int>(facts.day.year())) + "."};
    } else if (is_leap_day(occasion.date) && !occasion.kept_on) {
        explanation = {"skipped_by_rule",
                       kept + ", and the type's rule for 29 February skips years without that day."};
        explanation.with("rule", "leap:" + facts.leap_day);
    } else {
        explanation = {"not_this_day", kept};
        if (occasion.kept_on && !same_month_and_day(occasion.date, *occasion.kept_on)) {
            explanation.text += " in that year by the type's rule for 29 February";
            explanation.with("rule", "leap:" + facts.leap_day);
        }
        explanation.text += ".";
    }
    return explanation.with_if("keptOn", occasion.kept_on);
}

/// The one that comes nearest is the one that is asked about.
std::optional<Explanation> not_kept(const DayFacts& facts) {
    const auto kept = [](const KeptOccasion& occasion) { return occasion.kept; };
    if (std::ranges::any_of(facts.occasions, kept)) return std::nullopt;
    // Of somebody who is gone no date is told.
    if (facts.user_deleted_at) return Explanation{"not_this_day", "The date was not kept on that day."};
    const auto distance = [&](const KeptOccasion& occasion) {
        const auto in_that_year = occasion.kept_on.value_or(
            occasion.one_off ? occasion.date
                             : Date(facts.day.year() / occasion.date.month() / occasion.date.day()));
        const auto days = std::chrono::sys_days(in_that_year) - std::chrono::sys_days(facts.day);
        return std::chrono::abs(days);
    };
    auto explanation = on_another_day(*std::ranges::min_element(facts.occasions, {}, distance), facts);
    if (facts.occasions.size() > 1) {
        explanation.say("The user has " + std::to_string(facts.occasions.size()) + " dates of the type.");
        explanation.with("occasions", static_cast<std::int64_t>(facts.occasions.size()));
    }
    return explanation;
}

std::optional<Explanation> without_type(const DayFacts& facts) {
    if (!facts.type_exists) {
        return Explanation{"no_such_type",
                           "There is no message type " + facts.type +
                               ". If it was deleted, its messages that were not final went with it."};
    }
    if (!facts.type_deleted_at) return std::nullopt;
    return Explanation{"type_deleted", "The type " + facts.type + " was deleted at " +
                                           spoken(*facts.type_deleted_at) +
                                           "; nothing of it is planned or sent."}
        .with("typeDeletedAt", *facts.type_deleted_at);
}

std::optional<Explanation> too_old(const DayFacts& facts) {
    if (facts.month_is_kept || !is_past(facts) || facts.user_created_at > moment_of(facts))
        return std::nullopt;
    return Explanation{"too_old_to_know", "The ledger keeps nothing of that month, or no longer; whether a " +
                                              name_of(facts) + " was sent then is not known."};
}

std::optional<Explanation> skipped_by_gap(const DayFacts& facts) {
    if (facts.instant || !facts.zone_known) return std::nullopt;
    return Explanation{"skipped_by_rule",
                       "The clock in " + zone_of(facts) +
                           " skips the type's time on that day, and its rule for that is to send nothing."}
        .with("rule", "gap:" + facts.gap_rule);
}

std::optional<Explanation> unknown_zone(const DayFacts& facts) {
    if (facts.zone_known) return std::nullopt;
    return Explanation{"unknown_timezone", "The database's time zone data does not know " + zone_of(facts) +
                                               " any more, so nothing is planned for the user."};
}

/// A user who is gone gets nothing from then on; before, the rules below hold as for everybody.
std::optional<Explanation> user_deleted(const DayFacts& facts) {
    if (!facts.user_deleted_at || *facts.user_deleted_at > moment_of(facts)) return std::nullopt;
    return Explanation{"deleted",
                       "The user was deleted at " + spoken(*facts.user_deleted_at) + ", before its time."}
        .with("deletedAt", *facts.user_deleted_at);
}

std::optional<Explanation> user_opted_out(const DayFacts& facts) {
    const auto moment = moment_of(facts);
    if (facts.opted_out && (facts.user_changed_at <= moment || !is_past(facts))) {
        return Explanation{"opted_out",
                           "The user has opted out, at " + spoken(facts.user_changed_at) + " or before."}
            .with("userChangedAt", facts.user_changed_at);
    }
    return std::nullopt;
}

std::optional<Explanation> user_known_late(const DayFacts& facts) {
    const auto moment = moment_of(facts);
    if (facts.user_created_at > moment) {
        return Explanation{"not_known_in_time", "The user was added at " + spoken(facts.user_created_at) +
                                                    ", after its time; what becomes "
                                                    "known after its time is not sent that year."}
            .with("userCreatedAt", facts.user_created_at);
    }
    if (facts.user_changed_at <= moment) return std::nullopt;
    Explanation explanation{"not_known_in_time",
                            "The user was last changed at " + spoken(facts.user_changed_at) +
                                ", after its time. As they were before, no message was due to "
                                "them: the date, the zone or the consent came later."};
    explanation.with("userChangedAt", facts.user_changed_at);
    if (facts.user_deleted_at)
        explanation.say("That change, or the last of several, was the deletion.")
            .with("deletedAt", *facts.user_deleted_at);
    else if (facts.opted_out)
        explanation.say("The user has opted out by now.");
    return explanation;
}

/// Years before the user was added say nothing of the dates: the first that keeps one would tell its year.
std::optional<Explanation> before_the_user(const DayFacts& facts) {
    const std::chrono::year_month_day added = std::chrono::floor<std::chrono::days>(facts.user_created_at);
    if (facts.user_created_at <= moment_of(facts) || facts.day.year() >= added.year()) return std::nullopt;
    return user_known_late(facts);
}

bool is_next_to_plan(const DayFacts& facts) {
    return !facts.planned && facts.first_unplanned &&
           std::chrono::sys_days(facts.day) >= std::chrono::sys_days(*facts.first_unplanned);
}

std::optional<Explanation> type_known_late(const DayFacts& facts) {
    const auto moment = moment_of(facts);
    if (facts.type_created_at > moment) {
        return Explanation{"type_not_known_in_time", "The type was made at " + spoken(facts.type_created_at) +
                                                         ", after its time on that day."}
            .with("typeCreatedAt", facts.type_created_at);
    }
    if (facts.type_rules_changed_at <= moment || is_next_to_plan(facts)) return std::nullopt;
    return Explanation{
        "type_not_known_in_time",
        "The type's rules were changed at " + spoken(facts.type_rules_changed_at) +
            ", after the time they give for that day. By the rules of before, which are not kept, no "
            "message was due."}
        .with("typeRulesChangedAt", facts.type_rules_changed_at);
}

std::optional<Explanation> to_be_planned(const DayFacts& facts) {
    if (!is_next_to_plan(facts)) return std::nullopt;
    const auto reach = facts.within_horizon_at.value_or(facts.now);
    Explanation explanation;
    if (reach > facts.now) {
        explanation = {"not_planned_yet", "It is planned from " + spoken(reach) +
                                              " on, 26 hours ahead; later where PLAN_HORIZON is shorter."};
    } else {
        explanation = {"planner_behind",
                       "It should be in the ledger since " + spoken(reach) +
                           ", 26 hours ahead, unless PLAN_HORIZON is shorter: the planner is behind, or "
                           "cannot plan this day. The first day not planned for " +
                           facts.type + " in " + zone_of(facts) + " is " + to_string(*facts.first_unplanned) +
                           "."};
        if (is_past(facts))
            explanation.say("Its time has passed; it is planned and sent late once the planner works.");
    }
    explanation.with("plannedFrom", reach).with("firstUnplanned", *facts.first_unplanned);
    return explanation;
}

Explanation unexplained(const DayFacts& facts) {
    return {"unexplained",
            "The user keeps the day, was known in time, and the day is " +
                std::string(facts.planned ? "planned" : "not to be planned") +
                ", and yet there is no message. This should not happen: please look for lines that were "
                "deleted by hand, and report it."};
}

Explanation reason(const DayFacts& facts) {
    using Reason = std::optional<Explanation> (*)(const DayFacts&);
    // Whoever keeps no such date is not helped by hearing that he was also added late.
    for (const Reason one :
         {too_old, without_type, user_deleted, before_the_user, without_occasion, not_kept, unknown_zone,
          skipped_by_gap, user_opted_out, user_known_late, type_known_late, to_be_planned})
        if (auto found = one(facts)) return std::move(*found);
    return unexplained(facts);
}

}  // namespace

Explanation explain(const DayFacts& facts) {
    auto why = reason(facts);
    const bool by_dates = why.code == "no_such_occasion" || why.code == "not_this_day" ||
                          why.code == "first_year" || why.code == "skipped_by_rule";
    if (by_dates) warn_of_changes(why, facts);
    const bool to_come = why.code == "not_planned_yet" || why.code == "planner_behind";
    if (facts.removal && !to_come) {
        // As it stands now is the best that is known about why.
        Explanation removed{"removed",
                            "A message was planned for the day and removed at " + spoken(facts.removal->at) +
                                ", when the user or the type changed. As things stand: " + why.text};
        removed.with("removedAt", facts.removal->at).with("because", why.code);
        removed.facts.insert(removed.facts.end(), why.facts.begin(), why.facts.end());
        why = std::move(removed);
    } else if (facts.removal) {
        why.say("One that was planned before was removed at " + spoken(facts.removal->at) + ".")
            .with("removedAt", facts.removal->at);
    }
    // Of somebody who is gone no time zone is told, nor an instant that would tell it.
    if (facts.user_deleted_at) return why;
    if (!by_dates) why.with_if("scheduledSendTime", facts.instant);
    why.with("timezone", facts.timezone);
    return why;
}

}  // namespace domain
