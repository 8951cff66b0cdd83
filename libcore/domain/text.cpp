#include "libcore/domain/text.hpp"

#include <algorithm>
#include <cstdint>

namespace domain {

namespace {

// Length of the well-formed sequence at the start of `bytes` (Unicode, table 3-7); 0 if there is none.
std::size_t sequence_length(std::string_view bytes) {
    const auto byte = [&](std::size_t i) {
        return i < bytes.size() ? static_cast<std::uint8_t>(bytes[i]) : std::uint8_t{0};
    };
    const auto continues = [&](std::size_t i) { return (byte(i) & 0xC0) == 0x80; };
    const std::uint8_t first = byte(0);
    const std::uint8_t second = byte(1);
    if (first < 0x80) return first == 0 ? 0 : 1;
    if (first >= 0xC2 && first <= 0xDF) return continues(1) ? 2 : 0;
    if (first >= 0xE0 && first <= 0xEF) {
        const bool overlong = first == 0xE0 && second < 0xA0;
        const bool surrogate = first == 0xED && second > 0x9F;
        return continues(1) && continues(2) && !overlong && !surrogate ? 3 : 0;
    }
    if (first >= 0xF0 && first <= 0xF4) {
        const bool overlong = first == 0xF0 && second < 0x90;
        const bool too_high = first == 0xF4 && second > 0x8F;
        return continues(1) && continues(2) && continues(3) && !overlong && !too_high ? 4 : 0;
    }
    return 0;
}

}  // namespace

std::string clean_text(std::string_view bytes, std::size_t max_bytes) {
    constexpr std::string_view replacement = "\xEF\xBF\xBD";
    std::string text;
    text.reserve(bytes.size() < max_bytes ? bytes.size() : max_bytes);
    while (!bytes.empty()) {
        const std::size_t length = sequence_length(bytes);
        const std::string_view character = length == 0 ? replacement : bytes.substr(0, length);
        if (text.size() + character.size() > max_bytes) break;
        text += character;
        bytes.remove_prefix(length == 0 ? 1 : length);
    }
    return text;
}

std::size_t length(std::string_view text) {
    const auto begins = [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; };
    return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), begins));
}

std::string lower_case(std::string_view text) {
    std::string lower(text);
    for (auto& c : lower) {
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    }
    return lower;
}

std::vector<std::string_view> split(std::string_view text, char separator) {
    std::vector<std::string_view> parts;
    while (true) {
        const auto end = text.find(separator);
        parts.push_back(text.substr(0, end));
        if (end == std::string_view::npos) return parts;
        text.remove_prefix(end + 1);
    }
}

bool is_line(std::string_view bytes) {
    while (!bytes.empty()) {
        const auto character = bytes.substr(0, sequence_length(bytes));
        const bool ascii_control = character.size() == 1 && (character[0] < 0x20 || character[0] == 0x7F);
        const bool other_control =
            character.size() == 2 && character[0] == '\xC2' && static_cast<std::uint8_t>(character[1]) < 0xA0;
        if (character.empty() || ascii_control || other_control) return false;
        if (character == "\u2028" || character == "\u2029") return false;
        bytes.remove_prefix(character.size());
    }
    return true;
}

}  // namespace domain
