// A date of a user that is kept with a message of some further type, and the rules it must meet. Birthday and
// anniversary are fields of the user.
#pragma once

#include <optional>
#include <string>

#include "libcore/domain/result.hpp"
#include "libcore/domain/time.hpp"

namespace domain {

struct Occasion {
    std::string message_type;
    Date date{};
    bool one_off = false;  ///< kept on the date alone; else every year from the one after it

    friend bool operator==(const Occasion&, const Occasion&) = default;
};

/// What a client asked for, as far as it could be understood. The type is empty where there is none.
struct OccasionInput {
    std::string message_type;
    std::optional<Date> date;
    bool one_off = false;
};

/// What the ledger knows of it.
struct OccasionFacts {
    bool type_exists = false;
    bool passed = false;         ///< the type's time on that date, where the user lives
    bool already_there = false;  ///< the same date of the same type
    int others = 0;              ///< dates that the user has
};

/// The occasion, or every rule that it breaks, under the API's field names; only where there are no others,
/// `duplicate` or `too_many`. `found` is what reading the input has already found wrong.
Result<Occasion> validated(const OccasionInput& input, const OccasionFacts& facts, Errors found = {});

}  // namespace domain
