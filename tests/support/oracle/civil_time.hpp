// Civil time by Howard Hinnant's `date`: the second opinion on what PostgreSQL computes. Reads the system's
// time-zone files; right up to 2037, where the packaged library stops reading them.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "libcore/domain/time.hpp"

namespace date {
class time_zone;
}

namespace oracle {

/// A wall clock's reading, which need not exist.
using WallTime = std::chrono::time_point<struct WallClock, std::chrono::seconds>;

WallTime wall_time(const domain::Date& day, std::chrono::seconds time_of_day);

/// A change of a zone's offset: the wall clock jumps from `before` to `after`.
struct Transition {
    domain::Instant instant;
    std::chrono::seconds before;
    std::chrono::seconds after;
};

enum class Gap { shift_forward, before_gap, skip };
enum class Fold { first, second };

/// What a wall time means by a type's rules. No instant: it does not exist, and is skipped.
struct Meaning {
    std::optional<domain::Instant> instant;
    bool in_gap = false;
    bool in_fold = false;
};

class Zone {
public:
    /// Throws std::runtime_error for a name that the system does not know.
    explicit Zone(const std::string& name);

    /// A wall time in a gap moves forward by the length of the gap; one that happens twice means the first.
    domain::Instant instant_of(WallTime wall) const;

    Meaning meaning_of(WallTime wall, Gap gap, Fold fold) const;

    /// What must be added to UTC to read this zone's clock.
    std::chrono::seconds offset_at(domain::Instant instant) const;

    WallTime wall_time_at(domain::Instant instant) const;

    /// All changes of the offset within [from, to), in order.
    std::vector<Transition> transitions(domain::Instant from, domain::Instant to) const;

private:
    const date::time_zone* zone_;
};

}  // namespace oracle
