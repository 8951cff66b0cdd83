// What the database server says about itself.
#pragma once

#include "libcore/postgres/pool.hpp"

namespace postgres {

/// Connections that it accepts, those it keeps for superusers included.
int max_connections(Pool& pool);

}  // namespace postgres
