// Whether the name of one variable is likely a misspelt other.
#pragma once

#include <string_view>

namespace runtime {

/// Two slips in a long name, one in a short one, underscores and case aside. The shortest names are words
/// that others use as well.
bool is_near(std::string_view name, std::string_view setting);

}  // namespace runtime
