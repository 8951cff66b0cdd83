// What a service's environment says about read replicas: where they are, and how long one may take.
#pragma once

#include <string>
#include <vector>

#include "libcore/postgres/pool.hpp"
#include "libcore/runtime/settings.hpp"

namespace service {

struct ReplicaSettings {
    std::string name;  ///< host:port
    postgres::PoolSettings pool;
};

/// One for each server of READ_REPLICA_URL, which may have several URLs, and these several hosts. What it
/// leaves open is as for the primary.
std::vector<ReplicaSettings> read_replica_settings(runtime::Environment& environment, runtime::AppEnv app_env,
                                                   const postgres::PoolSettings& primary);

}  // namespace service
