// Text from outside, made fit for the ledger.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace domain {

/// At most `max_bytes` of valid UTF-8 without NUL: each byte that does not belong becomes U+FFFD, and the cut
/// falls between two characters.
std::string clean_text(std::string_view bytes, std::size_t max_bytes);

/// How many characters valid UTF-8 has.
std::size_t length(std::string_view text);

/// The letters A to Z in lower case, all else as it is.
std::string lower_case(std::string_view text);

/// The parts between the separators: one more than there are separators.
std::vector<std::string_view> split(std::string_view text, char separator);

/// Whether this is valid UTF-8 on one line: no control character, no line or paragraph separator.
bool is_line(std::string_view bytes);

}  // namespace domain
