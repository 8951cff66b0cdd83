// Text for people: columns on a terminal, thousands, dates, offsets. `std::setlocale(LC_CTYPE, "C.UTF-8")`
// first.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "libcore/domain/time.hpp"

namespace demo {

/// Columns that UTF-8 text takes on a terminal: a Chinese letter takes two, a combining mark none.
std::size_t columns(std::string_view text);
/// Cut, with an ellipsis, so that it takes at most this many columns.
std::string shortened(std::string_view text, std::size_t width);
/// Filled with blanks to this many columns, or shortened.
std::string padded(std::string_view text, std::size_t width);

/// "12,345"
std::string grouped(std::uint64_t number);
/// "Sun 28 Feb 2027 14:37", of an instant in UTC
std::string calendar_time(domain::Instant instant);
/// "42 ms"
std::string in_milliseconds(std::chrono::microseconds span);

/// The whole hours from UTC where it is between 09:00 and 10:00 in the morning: one, or two a day apart.
std::vector<int> offsets_at_nine(domain::Instant instant);
/// "UTC−11 and UTC+13"
std::string names_of(const std::vector<int>& offsets);

/// Which script a text is in, for telling two apart: the block of its first letter beyond Latin, or 0.
char32_t script_of(std::string_view text);

}  // namespace demo
