// `scheduler-svc replan-zones`: what the zone keeper does by itself, at once and in front of an operator.
#pragma once

#include "libcore/runtime/command_line.hpp"
#include "services/scheduler/settings.hpp"

namespace scheduler {

/// Keeps a reference to the settings.
runtime::Command replan_zones_command(const Settings& settings);

}  // namespace scheduler
