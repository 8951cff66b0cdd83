#include "tests/support/model/rules.hpp"

#include <algorithm>
#include <cmath>
#include <set>

namespace model {

namespace {

using std::chrono::days;
using std::chrono::years;

const oracle::Zone& zone_called(const std::string& name) {
    thread_local std::map<std::string, oracle::Zone> known;
    return known.try_emplace(name, name).first->second;
}

void append(std::string& rules, const std::string& rule) {
    rules += (rules.empty() ? "" : ",") + rule;
}

}  // namespace

Instant unit_time(const std::string& zone, const Date& day, const Type& type) {
    return *zone_called(zone)
                .meaning_of(oracle::wall_time(day, type.send_at), oracle::Gap::shift_forward,
                            oracle::Fold::second)
                .instant;
}

std::optional<Kept> kept_in(std::chrono::year year, const Occasion& occasion, LeapDay rule) {
    if (occasion.one_off) {
        if (occasion.date.year() != year) return std::nullopt;
        return Kept{occasion.date};
    }
    // The year of the date itself sends nothing.
    if (year <= occasion.date.year()) return std::nullopt;
    const Date same_day = year / occasion.date.month() / occasion.date.day();
    if (same_day.ok()) return Kept{same_day};
    switch (rule) {
        case LeapDay::feb28:
            return Kept{year / std::chrono::February / 28, true};
        case LeapDay::mar1:
            return Kept{year / std::chrono::March / 1, true};
        case LeapDay::skip:
            return std::nullopt;
    }
    return std::nullopt;
}

std::optional<Kept> kept_on(const User& user, const std::string& name, const Type& type, const Date& day) {
    std::optional<Kept> kept;
    for (const Occasion& occasion : user.occasions) {
        const auto found =
            occasion.type == name ? kept_in(day.year(), occasion, type.leap_day) : std::nullopt;
        if (!found || found->day != day) continue;
        // Moved only if no date falls on this day by itself.
        if (!kept || kept->moved) kept = found;
    }
    return kept;
}

std::optional<Owed> owed_on(const User& user, const std::string& name, const Type& type, const Date& day) {
    const auto kept = kept_on(user, name, type, day);
    if (!kept) return std::nullopt;
    const auto meaning =
        zone_called(user.zone).meaning_of(oracle::wall_time(day, type.send_at), type.gap, type.fold);
    if (!meaning.instant) return std::nullopt;

    Owed owed{.type = name, .day = day, .civil = *meaning.instant, .instant = *meaning.instant, .rule = {}};
    owed.instant +=
        std::chrono::microseconds(std::llround(static_cast<double>(type.spread.count()) * user.share));
    if (kept->moved) append(owed.rule, "leap:" + text(type.leap_day));
    if (meaning.in_gap) append(owed.rule, "gap:" + text(type.gap));
    if (meaning.in_fold) append(owed.rule, "fold:" + text(type.fold));
    return owed;
}

std::vector<Owed> owed_between(const User& user, const std::map<std::string, Type>& types, Instant from,
                               Instant until) {
    const auto year_of = [](Instant instant) { return Date(std::chrono::floor<days>(instant)).year(); };
    std::set<std::pair<std::string, Date>> candidates;
    for (const Occasion& occasion : user.occasions) {
        const auto type = types.find(occasion.type);
        if (type == types.end() || type->second.deleted) continue;
        for (auto year = year_of(from - days(2)); year <= year_of(until + days(2)); year += years(1))
            if (const auto kept = kept_in(year, occasion, type->second.leap_day))
                candidates.emplace(occasion.type, kept->day);
    }

    std::vector<Owed> all;
    for (const auto& [name, day] : candidates) {
        const auto owed = owed_on(user, name, types.at(name), day);
        if (owed && owed->instant >= from && owed->civil < until) all.push_back(*owed);
    }
    return all;
}

std::string text(oracle::Gap rule) {
    return rule == oracle::Gap::shift_forward ? "shift_forward"
           : rule == oracle::Gap::before_gap  ? "before_gap"
                                              : "skip";
}

std::string text(oracle::Fold rule) {
    return rule == oracle::Fold::first ? "first" : "second";
}

std::string text(LeapDay rule) {
    return rule == LeapDay::feb28 ? "feb28" : rule == LeapDay::mar1 ? "mar1" : "skip";
}

}  // namespace model
