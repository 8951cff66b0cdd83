// The clock that planning and sending go by, and whether the database answers at all.
#pragma once

#include "libcore/postgres/pool.hpp"

namespace postgres {

/// Whether development or a test has put another time in place of the real one.
bool clock_is_shifted(Pool& pool);

/// Throws DatabaseError when the database does not answer.
void ping(Pool& pool);

}  // namespace postgres
