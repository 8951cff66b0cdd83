// Settings that more than one service has, read in one place so that they cannot drift apart.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "libcore/domain/outcome.hpp"
#include "libcore/runtime/log.hpp"
#include "libcore/runtime/ops_server.hpp"
#include "libcore/runtime/settings.hpp"

namespace service {

/// LOG_LEVEL, LOG_FORMAT.
runtime::log::Options read_log_options(runtime::Environment& environment, const std::string& service);

/// OPS_BIND, OPS_PORT, ADMIN_TOKEN.
runtime::OpsServer::Settings read_ops_settings(runtime::Environment& environment, std::uint16_t default_port);

/// SHUTDOWN_GRACE.
std::chrono::milliseconds read_shutdown_grace(runtime::Environment& environment);

/// STUCK_AFTER: how long a round of a loop may take before /livez asks for a restart.
std::chrono::milliseconds read_stuck_after(runtime::Environment& environment);

/// DELIVERY_LEASE: how long a worker may hold a message. Worker and scheduler must agree on it.
std::chrono::milliseconds read_lease(runtime::Environment& environment);

/// PROVIDER_KEY_LIFE: for how long the provider knows an idempotency key. API and worker must agree on it.
std::chrono::milliseconds read_key_life(runtime::Environment& environment);

/// PROVIDER_IN_DOUBT.
domain::InDoubt read_in_doubt(runtime::Environment& environment);

}  // namespace service
