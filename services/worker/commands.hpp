// What an operator can ask of worker-svc on the command line.
#pragma once

#include <vector>

#include "libcore/runtime/command_line.hpp"
#include "services/worker/settings.hpp"

namespace worker {

std::vector<runtime::Command> commands(const Settings& settings);

}  // namespace worker
