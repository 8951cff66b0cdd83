// Shows what the pool and its connections do as metrics.
#pragma once

#include "libcore/postgres/observation.hpp"
#include "libcore/postgres/pool.hpp"
#include "libcore/runtime/metrics.hpp"

namespace api {

/// The registry outlives the function.
postgres::Observe observe_database(runtime::Registry& registry);

/// The pool outlives the last scrape.
void watch_pool(runtime::Registry& registry, const postgres::Pool& pool);

}  // namespace api
