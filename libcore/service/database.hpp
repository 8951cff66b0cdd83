// What every service needs of its database: settings, metrics, and the answer to "can we work?".
#pragma once

#include <string>

#include "libcore/postgres/pool.hpp"
#include "libcore/runtime/metrics.hpp"
#include "libcore/runtime/ops_server.hpp"
#include "libcore/runtime/settings.hpp"

namespace service {

struct PoolSize {
    int max;
    int min;
};

/// From DATABASE_URL and the DB_ variables; `size` is this service's default.
postgres::PoolSettings read_database_settings(runtime::Environment& environment,
                                              const std::string& application, PoolSize size);

/// Counts what connections and pools tell, by statement: `database_query_duration_seconds{statement,outcome}`
/// and `db_pool_acquire_duration_seconds`. The registry outlives every copy.
postgres::Observe measure_database(runtime::Registry& registry);

/// `db_pool_size{state}` and `db_pool_max`, read at each scrape; the pool outlives the registry's last
/// scrape.
void show_pool(runtime::Registry& registry, const postgres::Pool& pool);

/// Waits for the database, as long as it takes, and makes sure that its schema fits this program: throws
/// postgres::SchemaMismatch if not, and std::runtime_error if a shifted clock stands in production.
/// False when stop was requested first.
bool wait_for_database(postgres::Pool& pool, runtime::AppEnv app_env, const std::stop_token& stop);

runtime::Check database_check(postgres::Pool& pool);

}  // namespace service
