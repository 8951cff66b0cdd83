#include "libcore/postgres/log_position.hpp"

#include <array>
#include <charconv>

namespace postgres {

namespace {

std::optional<std::uint64_t> parse_half(std::string_view text) {
    constexpr std::size_t longest = 8;
    std::uint32_t value = 0;
    const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
    if (text.size() > longest || problem != std::errc() || end != text.data() + text.size())
        return std::nullopt;
    return value;
}

std::string hexadecimal(std::uint64_t value) {
    std::array<char, 16> digits{};
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value, 16).ptr;
    std::string text(digits.data(), end);
    for (char& digit : text)
        if (digit >= 'a') digit = static_cast<char>(digit - 'a' + 'A');
    return text;
}

}  // namespace

std::optional<LogPosition> parse_log_position(std::string_view text) {
    const auto slash = text.find('/');
    if (slash == std::string_view::npos) return std::nullopt;
    const auto high = parse_half(text.substr(0, slash));
    const auto low = parse_half(text.substr(slash + 1));
    if (!high || !low) return std::nullopt;
    return LogPosition{*high << 32U | *low};
}

std::string to_string(LogPosition position) {
    return hexadecimal(position.bytes >> 32U) + "/" + hexadecimal(position.bytes & UINT32_MAX);
}

}  // namespace postgres
