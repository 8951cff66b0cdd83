#include "libcore/domain/pause.hpp"

#include "libcore/domain/text.hpp"

namespace domain {

Result<std::string> pause_reason(std::string_view text) {
    constexpr std::size_t longest = 500;
    if (text.find_first_not_of(' ') == std::string_view::npos) {
        return Error{"required", "reason", "is required"};
    }
    if (text.size() > longest) return Error{"too_long", "reason", "must not be longer than 500 bytes"};
    if (!is_line(text)) return Error{"invalid_characters", "reason", "must be one line of UTF-8"};
    return std::string(text);
}

Result<Instant> pause_end(std::string_view text) {
    if (const auto instant = parse_instant(text)) return *instant;
    return Error{"impossible_instant", "until", "must be an instant such as 2027-03-01T12:00:00Z"};
}

}  // namespace domain
