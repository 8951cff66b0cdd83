// The clock that planning and sending go by.
#pragma once

#include "libcore/postgres/pool.hpp"

namespace postgres {

/// Whether development or a test has put another time in place of the real one.
bool clock_is_shifted(Pool& pool);

}  // namespace postgres
