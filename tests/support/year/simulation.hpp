// A year of the real system, on a clock that stands still while it works: planners, dispatcher, rescuer,
// guardian and worker on a real database, a real broker and a real provider.
#pragma once

#include <functional>

#include "tests/support/year/record.hpp"
#include "tests/support/year/world.hpp"

namespace year {

/// Every zone that the database knows, by the name under which it is stored.
std::vector<std::string> zones_of_the_database();

/// Told at each step.
using Progress = std::function<void(Instant at)>;

/// Needs TEST_DATABASE_URL, TEST_AMQP_URL and TIDINGS_BIN, as tests do.
Record live(const World& world, const Progress& progress = {});

}  // namespace year
