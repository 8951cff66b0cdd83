// Dates and instants as values, and their text forms. Civil-time arithmetic with zones is the database's.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace domain {

using Date = std::chrono::year_month_day;
using Instant = std::chrono::sys_time<std::chrono::microseconds>;

struct TimeOfDay {
    std::chrono::seconds since_midnight{};

    friend bool operator==(const TimeOfDay&, const TimeOfDay&) = default;
};

/// `YYYY-MM-DD`, years 0001 to 9999; nothing for any other form and for days the calendar does not have.
std::optional<Date> parse_date(std::string_view text);
std::string to_string(const Date& date);

/// RFC 3339 in UTC, as `2027-02-28T09:00:00Z` or with six decimals where the instant has a fraction.
std::string to_string(Instant instant);

/// RFC 3339 in any zone, as `2027-02-28T10:00:00+01:00`, to the microsecond; nothing for any other form.
std::optional<Instant> parse_instant(std::string_view text);

/// `09:00` or `09:00:30`, on a clock of 24 hours; nothing for any other form.
std::optional<TimeOfDay> parse_time_of_day(std::string_view text);
/// With seconds only where there are any.
std::string to_string(TimeOfDay time);

/// One whole number and its unit, `10d`, `48h`, `15m`, `30s` or `250ms`, up to 36,500 days; nothing for any
/// other form.
std::optional<std::chrono::milliseconds> parse_duration(std::string_view text);
/// In the largest unit that leaves no fraction: 48 hours are `2d`.
std::string to_string(std::chrono::milliseconds duration);

}  // namespace domain
