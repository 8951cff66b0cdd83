// UUIDs as 16 bytes. Version 7 (RFC 9562): ordered by creation time, so that indexes grow at one end.
#pragma once

#include <array>
#include <chrono>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace domain {

struct Uuid {
    std::array<std::uint8_t, 16> bytes{};

    friend auto operator<=>(const Uuid&, const Uuid&) = default;
};

/// The 36-character form, hexadecimal digits of either case; nothing for any other text.
std::optional<Uuid> parse_uuid(std::string_view text);
std::string to_string(const Uuid& uuid);

/// A version 7 UUID of the given moment; `random` gives the 74 random bits (its other bits are ignored).
Uuid uuid_v7(std::chrono::sys_time<std::chrono::milliseconds> at, const std::array<std::uint8_t, 10>& random);

}  // namespace domain
