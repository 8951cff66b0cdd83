#include "libcore/domain/occasion.hpp"

#include "libcore/domain/message_type.hpp"
#include "libcore/domain/user.hpp"

namespace domain {

namespace {

constexpr int most_occasions = 100;

}  // namespace

Result<Occasion> validated(const OccasionInput& input, const OccasionFacts& facts, Errors found) {
    Errors errors = std::move(found);
    if (input.message_type.empty()) {
        add_once(errors, {"required", "messageType", "is required"});
    } else if (const auto field = user_field_of(input.message_type)) {
        add_once(errors,
                 {"field_of_user", "messageType",
                  "must not be built in: this date is set as " + std::string(*field) + " of the user"});
    } else if (!facts.type_exists) {
        add_once(errors, {"unknown_message_type", "messageType", "must be the name of a message type"});
    }
    if (!input.date) {
        add_once(errors, {"required", "date", "is required"});
    } else if (*input.date < earliest_date || *input.date > latest_date) {
        add_once(errors, {"out_of_range", "date",
                          "must be from " + to_string(earliest_date) + " to " + to_string(latest_date)});
    } else if (input.one_off && facts.passed) {
        add_once(errors, {"in_the_past", "date",
                          "must lie in the future where it is kept once: its time to be sent has passed"});
    }
    if (!errors.empty()) return errors;
    if (facts.already_there)
        return Error{"duplicate", "date", "is a date of this type for this user already"};
    if (facts.others >= most_occasions) {
        return Error{
            "too_many", "",
            "The user has " + std::to_string(most_occasions) + " dates already, the most there may be."};
    }
    return Occasion{input.message_type, *input.date, input.one_off};
}

}  // namespace domain
