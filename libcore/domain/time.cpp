#include "libcore/domain/time.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>

namespace domain {

namespace {

/// At most nine, which an int can hold.
std::optional<int> digits(std::string_view text) {
    if (text.size() > 9) return std::nullopt;
    int number = 0;
    for (const char c : text) {
        if (c < '0' || c > '9') return std::nullopt;
        number = number * 10 + (c - '0');
    }
    return number;
}

/// "23:59", or "23:59:58" where there are seconds.
std::optional<std::chrono::seconds> time_of_day(std::string_view text) {
    const bool with_seconds = text.size() == 8;
    if ((text.size() != 5 && !with_seconds) || text[2] != ':' || (with_seconds && text[5] != ':')) return {};
    const auto hours = digits(text.substr(0, 2));
    const auto minutes = digits(text.substr(3, 2));
    const auto seconds = with_seconds ? digits(text.substr(6)) : 0;
    if (!hours || !minutes || !seconds || *hours > 23 || *minutes > 59 || *seconds > 59) return {};
    return std::chrono::hours(*hours) + std::chrono::minutes(*minutes) + std::chrono::seconds(*seconds);
}

/// "Z", "+02:00".
std::optional<std::chrono::seconds> utc_offset(std::string_view text) {
    if (text == "Z") return std::chrono::seconds(0);
    if (text.size() != 6 || (text[0] != '+' && text[0] != '-')) return {};
    const auto offset = time_of_day(text.substr(1));
    return offset && text[0] == '-' ? -*offset : offset;
}

template <std::size_t size, class... Args>
std::string formatted(const char* format, Args... args) {
    std::array<char, size> buffer{};
    const int length = std::snprintf(buffer.data(), buffer.size(), format, args...);
    return {buffer.data(), static_cast<std::size_t>(length)};
}

struct Unit {
    std::string_view suffix;
    std::chrono::milliseconds length;
};

constexpr std::array<Unit, 5> units = {{{"d", std::chrono::hours(24)},
                                        {"h", std::chrono::hours(1)},
                                        {"m", std::chrono::minutes(1)},
                                        {"s", std::chrono::seconds(1)},
                                        {"ms", std::chrono::milliseconds(1)}}};
constexpr std::chrono::milliseconds longest_duration = std::chrono::days(36'500);

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

std::optional<Instant> parse_instant(std::string_view text) {
    using namespace std::chrono;
    if (text.size() < 20 || text[10] != 'T') return std::nullopt;
    const auto date = parse_date(text.substr(0, 10));
    const auto time = time_of_day(text.substr(11, 8));
    text.remove_prefix(19);
    int fraction = 0;
    if (text.front() == '.') {
        const auto size = std::min(text.find_first_of("Z+-"), text.size()) - 1;
        const auto read = digits(text.substr(1, size));
        if (size < 1 || size > 6 || !read) return std::nullopt;
        fraction = *read;
        for (auto i = size; i < 6; ++i) fraction *= 10;
        text.remove_prefix(size + 1);
    }
    const auto offset = utc_offset(text);
    if (!date || !time || !offset) return std::nullopt;
    const Instant instant = sys_days(*date) + *time + microseconds(fraction) - *offset;
    // The offset may lead out of the years that can be written.
    const auto year = Date(floor<days>(instant)).year();
    if (year < std::chrono::year(1) || year > std::chrono::year(9999)) return std::nullopt;
    return instant;
}

std::optional<TimeOfDay> parse_time_of_day(std::string_view text) {
    const auto time = time_of_day(text);
    return time ? std::optional(TimeOfDay{*time}) : std::nullopt;
}

std::string to_string(TimeOfDay time) {
    const std::chrono::hh_mm_ss parts(time.since_midnight);
    auto text = formatted<16>("%02d:%02d", static_cast<int>(parts.hours().count()),
                              static_cast<int>(parts.minutes().count()));
    if (parts.seconds().count() != 0)
        text += formatted<8>(":%02d", static_cast<int>(parts.seconds().count()));
    return text;
}

std::optional<std::chrono::milliseconds> parse_duration(std::string_view text) {
    const auto end = std::min(text.find_first_not_of("0123456789"), text.size());
    const auto count = digits(text.substr(0, end));
    const auto unit =
        std::find_if(units.begin(), units.end(), [&](const Unit& u) { return u.suffix == text.substr(end); });
    if (end == 0 || !count || unit == units.end()) return std::nullopt;
    const auto duration = *count * unit->length;
    return duration > longest_duration ? std::nullopt : std::optional(duration);
}

std::string to_string(std::chrono::milliseconds duration) {
    if (duration.count() == 0) return "0s";
    const auto unit = std::find_if(units.begin(), units.end(),
                                   [&](const Unit& u) { return duration % u.length == duration.zero(); });
    return std::to_string(duration / unit->length) + std::string(unit->suffix);
}

}  // namespace domain
