// What breaks in a year, and when: over midnight, on the days on which clocks change, at New Year, and
// anywhere.
#pragma once

#include "tests/support/year/dice.hpp"
#include "tests/support/year/world.hpp"

namespace year {

std::vector<Outage> outages(const World& world);

/// Whether a message tried then may be in doubt: people are left alone meanwhile, because what becomes of it
/// would depend on real time.
bool doubtful(const std::vector<Outage>& outages, Instant at);

}  // namespace year
