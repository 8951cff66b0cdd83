// Text from outside, made fit for the ledger.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace domain {

/// At most `max_bytes` of valid UTF-8 without NUL: each byte that does not belong becomes U+FFFD, and the cut
/// falls between two characters.
std::string clean_text(std::string_view bytes, std::size_t max_bytes);

}  // namespace domain
