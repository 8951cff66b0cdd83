// The emergency stop from a shell, for when the API is down: pause, resume, pause-status; and health.
#pragma once

#include <vector>

#include "libcore/runtime/command_line.hpp"
#include "services/scheduler/settings.hpp"

namespace scheduler {

/// They keep a reference to the settings, and throw when the database is broken.
std::vector<runtime::Command> commands(const Settings& settings);

}  // namespace scheduler
