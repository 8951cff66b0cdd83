#include "tests/support/demo/text.hpp"

#include <algorithm>
#include <ctime>
#include <cwchar>

namespace demo {

namespace {

struct Letter {
    std::string_view bytes;
    char32_t point;
    std::size_t columns;
};

/// The first letter of well-formed UTF-8.
Letter first_letter(std::string_view text) {
    std::mbstate_t state{};
    wchar_t point = 0;
    const auto length = std::mbrtowc(&point, text.data(), text.size(), &state);
    if (length == 0 || length > text.size()) return {text.substr(0, 1), U'?', 1};
    return {text.substr(0, length), static_cast<char32_t>(point),
            static_cast<std::size_t>(std::max(wcwidth(point), 0))};
}

template <class Visit>
void each_letter(std::string_view text, Visit visit) {
    while (!text.empty()) {
        const auto letter = first_letter(text);
        text.remove_prefix(letter.bytes.size());
        visit(letter);
    }
}

/// Blocks of 128 tell alphabets apart; ideographs and Hangul are many blocks each.
char32_t script_of(char32_t point) {
    const bool latin = point < 0x0370 || (point >= 0x1E00 && point < 0x1F00);
    const bool punctuation = point >= 0x2000 && point < 0x2100;
    if (latin || punctuation) return 0;
    if (point >= 0x4E00 && point < 0xA000) return 0x4E00;
    if (point >= 0xAC00 && point < 0xD7B0) return 0xAC00;
    return point & ~char32_t{0x7F};
}

}  // namespace

std::size_t columns(std::string_view text) {
    std::size_t sum = 0;
    each_letter(text, [&](const Letter& letter) { sum += letter.columns; });
    return sum;
}

std::string shortened(std::string_view text, std::size_t width) {
    if (columns(text) <= width) return std::string(text);
    std::string kept;
    std::size_t used = 1;  // the ellipsis
    each_letter(text, [&](const Letter& letter) {
        used += letter.columns;
        if (used <= width) kept += letter.bytes;
    });
    return width == 0 ? "" : kept + "…";
}

std::string padded(std::string_view text, std::size_t width) {
    auto result = shortened(text, width);
    return result.append(width - columns(result), ' ');
}

std::string grouped(std::uint64_t number) {
    auto digits = std::to_string(number);
    for (auto at = digits.size(); at > 3; at -= 3) digits.insert(at - 3, ",");
    return digits;
}

std::string calendar_time(domain::Instant instant) {
    const std::time_t seconds = std::chrono::floor<std::chrono::seconds>(instant).time_since_epoch().count();
    std::tm parts{};
    gmtime_r(&seconds, &parts);
    char text[32];
    return {text, std::strftime(text, sizeof text, "%a %d %b %Y %H:%M", &parts)};
}

std::string in_milliseconds(std::chrono::microseconds span) {
    const auto count = std::chrono::round<std::chrono::milliseconds>(span).count();
    return (count < 0 ? "−" : "") + grouped(static_cast<std::uint64_t>(count < 0 ? -count : count)) + " ms";
}

std::vector<int> offsets_at_nine(domain::Instant instant) {
    const auto since_midnight = instant - std::chrono::floor<std::chrono::days>(instant);
    const auto hour = static_cast<int>(std::chrono::floor<std::chrono::hours>(since_midnight).count());
    std::vector<int> offsets;
    for (const int offset : {9 - hour - 24, 9 - hour, 9 - hour + 24}) {
        if (offset >= -12 && offset <= 14) offsets.push_back(offset);
    }
    return offsets;
}

std::string names_of(const std::vector<int>& offsets) {
    std::string names;
    for (const int offset : offsets) {
        names += names.empty() ? "UTC" : " and UTC";
        if (offset != 0) names += (offset < 0 ? "−" : "+") + std::to_string(std::abs(offset));
    }
    return names;
}

char32_t script_of(std::string_view text) {
    char32_t script = 0;
    each_letter(text, [&](const Letter& letter) {
        if (script == 0) script = script_of(letter.point);
    });
    return script;
}

}  // namespace demo
