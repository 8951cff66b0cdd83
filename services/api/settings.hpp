// All settings of api-svc, read once at start.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "libcore/postgres/pool.hpp"
#include "libcore/runtime/http_server.hpp"
#include "libcore/runtime/log.hpp"
#include "libcore/runtime/ops_server.hpp"
#include "libcore/runtime/settings.hpp"
#include "libcore/service/replica_settings.hpp"
#include "services/api/application.hpp"

namespace api {

struct Settings {
    runtime::AppEnv app_env = runtime::AppEnv::production;
    runtime::log::Options log;
    std::chrono::milliseconds grace{};
    std::chrono::milliseconds stuck_after{};
    postgres::PoolSettings pool;
    postgres::ConnectionSettings unpooled;  ///< for migrations
    std::vector<service::ReplicaSettings> replicas;
    int connection_budget = 0;
    runtime::HttpServer::Settings http;
    runtime::OpsServer::Settings ops;
    Door door;
    /// For how long the provider knows an idempotency key.
    std::chrono::milliseconds provider_key_life{};
};

/// What is wrong is recorded in the environment.
Settings read_settings(runtime::Environment& environment);

}  // namespace api
