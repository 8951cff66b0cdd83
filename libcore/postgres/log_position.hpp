// A place in the server's log of all changes: whoever has replayed up to it has all that was committed
// before.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace postgres {

struct LogPosition {
    std::uint64_t bytes = 0;

    friend auto operator<=>(const LogPosition&, const LogPosition&) = default;
};

/// No log comes so far.
inline constexpr LogPosition beyond_every_log{UINT64_MAX};

/// As the server writes it: "16/B374D848".
std::optional<LogPosition> parse_log_position(std::string_view text);
std::string to_string(LogPosition position);

}  // namespace postgres
