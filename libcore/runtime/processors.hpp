// How many processors a process may use at once, for what is sized by them.
#pragma once

#include <string_view>

namespace runtime {

/// Those that are present, or fewer where a limit says so: "200000 100000" allows 0.2 s of their time in each
/// 0.1 s, which is two. A fraction counts as one. "max", -1 and what is not understood are no limit.
int processors_within(std::string_view limit, int present);

/// This process's: the machine's, as far as its container is allowed them.
int processors();

}  // namespace runtime
