#include "libcore/domain/time.hpp"

#include <array>
#include <charconv>
#include <cstdio>

namespace domain {

namespace {

std::optional<int> digits(std::string_view text) {
    int number = 0;
    for (const char c : text) {
        if (c < '0' || c > '9') return std::nullopt;
        number = number * 10 + (c - '0');
    }
    return number;
}

template <std::size_t size, class... Args>
std::string formatted(const char* format, Args... args) {
    std::array<char, size> buffer{};
    const int length = std::snprintf(buffer.data(), buffer.size(), format, args...);
    return {buffer.data(), static_cast<std::size_t>(length)};
}

}  // namespace

std::optional<Date> parse_date(std::string_view text) {
    if (text.size() != 10 || text[4] != '-' || text[7] != '-') return std::nullopt;
    const auto year = digits(text.substr(0, 4));
    const auto month = digits(text.substr(5, 2));
    const auto day = digits(text.substr(8, 2));
    if (!year || !month || !day || *year == 0) return std::nullopt;
    const Date date{std::chrono::year(*year), std::chrono::month(static_cast<unsigned>(*month)),
                    std::chrono::day(static_cast<unsigned>(*day))};
    if (!date.ok()) return std::nullopt;
    return date;
}

std::string to_string(const Date& date) {
    return formatted<24>("%04d-%02u-%02u", static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                         static_cast<unsigned>(date.day()));
}

std::string to_string(Instant instant) {
    using namespace std::chrono;
    const auto day = floor<days>(instant);
    const hh_mm_ss time(instant - day);
    std::string text =
        to_string(Date(day)) + formatted<24>("T%02d:%02d:%02d", static_cast<int>(time.hours().count()),
                                             static_cast<int>(time.minutes().count()),
                                             static_cast<int>(time.seconds().count()));
    if (time.subseconds().count() != 0) {
        text += formatted<16>(".%06d", static_cast<int>(time.subseconds().count()));
    }
    return text + "Z";
}

}  // namespace domain
