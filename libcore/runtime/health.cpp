#include "libcore/runtime/health.hpp"

#include <iostream>

#include "libcore/runtime/ops_client.hpp"

namespace runtime {
namespace {

using namespace std::chrono_literals;

// Longer than /readyz takes, whatever the dependencies do.
constexpr auto probe_patience = 3s;

}  // namespace

bool is_ready(const OpsServer::Settings& settings, std::chrono::milliseconds patience) {
    const auto answer = ask_ops(settings, "/readyz", {}, patience);
    return answer && answer->status == 200;
}

Command health_command(const OpsServer::Settings& settings) {
    return {.path = {"health"},
            .help = "Ask the service on this machine's operations port whether it is ready",
            .run = [settings](const Arguments&) -> int {
                if (is_ready(settings, probe_patience)) return exit_ok;
                std::cerr << "not ready\n";
                return exit_failure;
            }};
}

}  // namespace runtime
