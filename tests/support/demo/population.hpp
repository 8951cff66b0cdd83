// The people of the demo: some in every zone, with dates around the two days that it plays.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "libcore/domain/user.hpp"

namespace demo {

/// The window opens on this day, at 09:00 UTC.
inline constexpr domain::Date first_day{std::chrono::year(2027), std::chrono::February, std::chrono::day(27)};

/// `size` people with e-mail addresses of their own, dealt out over the zones in turn. The first round has
/// its birthday on 28 February, the second on the 29th; the others around them, or on a day that must stay
/// silent. The same arguments give the same people.
std::vector<domain::UserFields> population(const std::vector<std::string>& zones, std::size_t size,
                                           std::uint64_t seed);

}  // namespace demo
