// Why a user has no message of a type for a day: what the ledger knows about the three in, one reason out.
// Pure.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "libcore/domain/message_history.hpp"

namespace domain {

/// A date of the user of the type in question.
struct KeptOccasion {
    Date date{};
    bool one_off = false;
    bool kept = false;            ///< on the day in question
    std::optional<Date> kept_on;  ///< in that day's year, nothing when it is not kept in it
};

/// All instants are the ledger's clock's; the rules are today's, as no others are kept.
struct DayFacts {
    Instant now{};
    std::string type;
    Date day{};
    std::string timezone;
    bool zone_known = true;
    bool opted_out = false;
    Instant user_created_at{};
    Instant user_changed_at{};  ///< the last change that may move a message
    std::optional<Instant> user_deleted_at;

    bool type_exists = true;
    Instant type_created_at{};
    Instant type_rules_changed_at{};
    std::optional<Instant> type_deleted_at;
    std::string leap_day;
    std::string gap_rule;

    std::vector<KeptOccasion> occasions;

    /// When it would be sent on that day; nothing when the rule for a time that does not exist skips it.
    std::optional<Instant> instant;
    /// When a planner with the widest horizon gets to it.
    std::optional<Instant> within_horizon_at;
    bool planned = false;  ///< the day is, for everybody of the type and zone, or was by the rules of before
    std::optional<Date> first_unplanned;
    bool month_is_kept = true;  ///< the ledger has a place for messages of that day

    std::optional<Removal> removal;  ///< the last message of this key that was removed
};

Explanation explain(const DayFacts& facts);

}  // namespace domain
