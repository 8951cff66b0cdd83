// What a service's environment says about its database: where it is, how it is reached, how large the pool is
// and how patient. What it leaves open is pool_plan's.
#pragma once

#include <string>

#include "libcore/postgres/pool.hpp"
#include "libcore/runtime/settings.hpp"
#include "libcore/service/pool_plan.hpp"

namespace service {

/// Whose pool it is. Callers come in any number, loops are counted: presets, profiles and policies size the
/// pools of callers alone.
struct PoolUser {
    enum Kind { callers, loops };

    std::string application;
    Kind kind;
    PoolSize size;  ///< without preset, profile and policy
};

postgres::PoolSettings read_database_settings(runtime::Environment& environment, runtime::AppEnv app_env,
                                              const PoolUser& user);

/// How the server of `connection.url` is reached, which `url_name` gives.
void read_server(runtime::Environment& environment, runtime::AppEnv app_env, const char* url_name,
                 postgres::ConnectionSettings& connection);

/// Past any pooler, by DATABASE_URL_UNPOOLED, for sessions that must be new or keep a state; the same as
/// `pooled` without it.
postgres::ConnectionSettings read_unpooled(runtime::Environment& environment, runtime::AppEnv app_env,
                                           postgres::ConnectionSettings pooled);

/// How many connections all programs together may open, by API_REPLICAS and WORKER_REPLICAS.
int read_connection_budget(runtime::Environment& environment, const OwnPool& own);

}  // namespace service
