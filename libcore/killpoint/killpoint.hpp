// KILLPOINT(name): a step at which a drill can have the program die, as if it had been killed there. In a
// build without TIDINGS_KILLPOINTS, such as the one that is shipped, it is nothing at all. Any thread.
#pragma once

#ifdef TIDINGS_KILLPOINTS

#include <string_view>

namespace killpoint {

/// Ends the process by SIGKILL if the variable KILLPOINT says `name`, or `name:N` and this is the Nth time.
void pass(std::string_view name);

}  // namespace killpoint

#define KILLPOINT(name) ::killpoint::pass(name)

#else

#define KILLPOINT(name) static_cast<void>(0)

#endif
