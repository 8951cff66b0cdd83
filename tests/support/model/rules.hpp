// Which messages a user is owed by the rules of planning: written from the design, and nothing in it knows
// SQL.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "libcore/domain/time.hpp"
#include "tests/support/oracle/civil_time.hpp"

namespace model {

using domain::Date;
using domain::Instant;

enum class LeapDay { feb28, mar1, skip };

struct Type {
    std::chrono::seconds send_at = std::chrono::hours(9);
    oracle::Gap gap = oracle::Gap::shift_forward;
    oracle::Fold fold = oracle::Fold::first;
    LeapDay leap_day = LeapDay::feb28;
    std::chrono::microseconds catch_up = std::chrono::days(10);
    std::chrono::microseconds max_lateness = std::chrono::hours(48);
    std::chrono::microseconds spread{0};
    std::optional<Instant> paused_until;
    Instant created_at{};
    /// Another one after every change that may move a message.
    int version = 0;
    Instant rules_changed_at{};
    bool deleted = false;
    /// Changed, and the pass over what is pending has not come to its end.
    bool behind = false;

    bool has_rules_of(const Type& other) const {
        return send_at == other.send_at && gap == other.gap && fold == other.fold &&
               leap_day == other.leap_day && spread == other.spread;
    }
};

struct Occasion {
    std::string type;
    Date date;
    bool one_off = false;

    friend bool operator==(const Occasion&, const Occasion&) = default;
};

struct User {
    std::string zone;
    std::vector<Occasion> occasions;
    bool opted_out = false;
    bool deleted = false;
    /// The user's own share of a spread, in [0, 1).
    double share = 0;
    int version = 1;
    Instant changed_at{};

    bool reachable() const { return !opted_out && !deleted; }
};

/// When a unit comes up for planning: what skips this time or has a choice of two plans by the later one.
Instant unit_time(const std::string& zone, const Date& day, const Type& type);

/// The days of a year, none or one, on which an occasion is kept, and whether 29 February was moved there.
struct Kept {
    Date day;
    bool moved = false;
};
std::optional<Kept> kept_in(std::chrono::year year, const Occasion& occasion, LeapDay rule);

/// A message as it should be sent: `civil` is the instant before the spread.
struct Owed {
    std::string type;
    Date day;
    Instant civil;
    Instant instant;
    std::string rule;
};

/// What falls on one day of the dates that this user keeps for one type.
std::optional<Kept> kept_on(const User& user, const std::string& name, const Type& type, const Date& day);

/// What this user keeps of one type on one day; nothing if it is none of theirs, or skipped.
std::optional<Owed> owed_on(const User& user, const std::string& name, const Type& type, const Date& day);

/// Everything this user keeps whose instant is not before `from` and whose time before the spread is before
/// `until`.
std::vector<Owed> owed_between(const User& user, const std::map<std::string, Type>& types, Instant from,
                               Instant until);

std::string text(oracle::Gap rule);
std::string text(oracle::Fold rule);
std::string text(LeapDay rule);

}  // namespace model
