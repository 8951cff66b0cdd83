// What an operator does with the API's keys: create, list, revoke, rotate.
#pragma once

#include <vector>

#include "libcore/runtime/command_line.hpp"
#include "services/api/settings.hpp"

namespace api {

/// The commands keep a reference to the settings. They throw when the database is broken.
std::vector<runtime::Command> key_commands(const Settings& settings);

}  // namespace api
