# Writes the commit that is being built into one small source, at each build, and only when it has changed: a new
# commit recompiles that file and links again, nothing more. TIDINGS_COMMIT in the environment serves builds
# outside a checkout, such as a container's.
if(DEFINED ENV{TIDINGS_COMMIT})
  set(commit "$ENV{TIDINGS_COMMIT}")
else()
  execute_process(COMMAND git -C ${SOURCE} rev-parse --short=12 HEAD OUTPUT_VARIABLE commit
                  OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
endif()
if(NOT commit)
  set(commit unknown)
endif()
file(CONFIGURE OUTPUT ${OUTPUT} CONTENT [[
#include "libcore/runtime/command_line.hpp"

std::string runtime::version() { return "@VERSION@"; }
std::string runtime::commit() { return "@commit@"; }
]] @ONLY)
