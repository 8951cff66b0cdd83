// Which messages a person is owed, and when: computed without the database, from the rules alone.
#pragma once

#include <string>
#include <vector>

#include "libcore/domain/time.hpp"
#include "libcore/domain/user.hpp"

namespace oracle {

struct Occasion {
    std::string email;
    std::string text;
    std::string timezone;
    domain::Date delivery_date;
    domain::Instant instant;
};

/// The birthday and anniversary messages of one person whose instants lie within [from, to], in their order.
/// Yearly at 09:00 from the year after the date; 29 February is kept on the 28th in a common year.
std::vector<Occasion> occasions(const domain::UserFields& person, domain::Instant from, domain::Instant to);

}  // namespace oracle
