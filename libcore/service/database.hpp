// What every service needs of its database: metrics, and the answer to "can we work?".
#pragma once

#include "libcore/postgres/pool.hpp"
#include "libcore/runtime/metrics.hpp"
#include "libcore/runtime/ops_server.hpp"

namespace service {

/// Counts what connections and pools tell, by statement: `database_query_duration_seconds{statement,outcome}`
/// and `db_pool_acquire_duration_seconds`. The registry outlives every copy.
postgres::Observe measure_database(runtime::Registry& registry);

/// `db_pool_size{state}` and `db_pool_max`, read at each scrape; the pool outlives the registry's last
/// scrape.
void show_pool(runtime::Registry& registry, const postgres::Pool& pool);

/// It answers, and its schema fits this program. Asks over the reserve: a busy pool is no reason not to be
/// ready.
runtime::Check database_check(const postgres::Pool& pool);

}  // namespace service
