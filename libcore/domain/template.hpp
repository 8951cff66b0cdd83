// The text of a message type, with its placeholders: what one may hold, and how long it can become.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include "libcore/domain/result.hpp"

namespace domain {

/// Of what is sent, in characters; the ledger takes no more.
inline constexpr std::size_t longest_message = 10'000;

/// How many characters the text has for the person with the longest name that a user may have.
std::size_t longest_rendering(std::string_view text);

/// What is wrong with it, under the client's name of the field. A text that passes can be rendered for
/// everybody.
std::optional<Error> template_fault(const char* field, std::string_view text);

}  // namespace domain
