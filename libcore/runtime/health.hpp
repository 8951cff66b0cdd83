// `health`: the command with which a container's supervisor asks the service that runs beside it.
#pragma once

#include "libcore/runtime/command_line.hpp"
#include "libcore/runtime/ops_server.hpp"

namespace runtime {

/// Whether GET /readyz on the operations port of this machine answers 200. Connecting, sending and each
/// read wait for `patience` at most.
bool is_ready(const OpsServer::Settings& settings, std::chrono::milliseconds patience);

/// Exits 0 if the service with these settings is ready, else 1.
Command health_command(const OpsServer::Settings& settings);

}  // namespace runtime
