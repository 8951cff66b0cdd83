// What an operator does with api-svc besides running it: migrate the database, manage keys, ask after its
// health.
#pragma once

#include "libcore/runtime/command_line.hpp"
#include "services/api/settings.hpp"

namespace api {

/// The commands keep a reference to the settings. They throw when the database is broken.
runtime::Program program(const Settings& settings);

}  // namespace api
