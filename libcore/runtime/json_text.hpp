// Text as JSON writes it, for what this folder prints itself: log lines, readiness, problems.
#pragma once

#include <string>
#include <string_view>

namespace runtime {

/// The text in quotes, escaped; every byte that is not part of valid UTF-8 becomes U+FFFD.
void append_json_string(std::string& out, std::string_view text);

}  // namespace runtime
