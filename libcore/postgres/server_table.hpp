// What the database server says about itself.
#pragma once

#include "libcore/postgres/pool.hpp"

namespace postgres {

/// Connections that it accepts of ordinary users: without those it keeps for superusers.
int connections_accepted(Pool& pool);

}  // namespace postgres
