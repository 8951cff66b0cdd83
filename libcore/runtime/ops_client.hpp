// Asks the operations port of the service that runs beside this process: for commands of an operator and for
// a container's supervisor.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "libcore/runtime/ops_server.hpp"

namespace runtime {

struct OpsAnswer {
    int status = 0;  ///< 0: asked, and not answered in time; what was asked for may be done all the same
    std::string body;
};

/// GET, or POST if there is a body, which is JSON. Connecting, sending and each read wait for `patience` at
/// most. Nothing if nobody could be asked.
std::optional<OpsAnswer> ask_ops(const OpsServer::Settings& settings, const std::string& path,
                                 const std::string& body, std::chrono::milliseconds patience);

}  // namespace runtime
