// The settings of scheduler-svc, read once at start.
#pragma once

#include <chrono>
#include <string>

#include "libcore/domain/outcome.hpp"
#include "libcore/postgres/pool.hpp"
#include "libcore/rabbitmq/settings.hpp"
#include "libcore/runtime/log.hpp"
#include "libcore/runtime/ops_server.hpp"
#include "libcore/runtime/settings.hpp"

namespace scheduler {

struct Settings {
    runtime::AppEnv app_env = runtime::AppEnv::production;
    runtime::log::Options log;
    postgres::PoolSettings database;
    postgres::PoolSettings housekeeping;  ///< apart: what reads or sorts for long must keep nobody waiting
    postgres::PoolSettings unpooled;      ///< for what needs new sessions: the rules of time zones
    int connection_budget = 0;
    rabbitmq::Settings broker;
    int queue_high_water = 10'000;
    std::chrono::milliseconds plan_horizon{};
    int retention_months = 13;  ///< 0 keeps everything
    std::chrono::milliseconds lease{};
    std::chrono::milliseconds lost_after{};
    domain::InDoubt in_doubt = domain::InDoubt::resend;
    runtime::OpsServer::Settings ops;
    std::chrono::milliseconds shutdown_grace{};
    std::chrono::milliseconds stuck_after{};
};

/// What is wrong is recorded in the environment.
Settings read_settings(runtime::Environment& environment);

}  // namespace scheduler
