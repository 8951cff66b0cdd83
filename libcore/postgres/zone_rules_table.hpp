// The rules of the server's time zones: whether they changed, whose sessions still go by those of before, and
// the messages that were planned by others. PostgreSQL reads a zone once a session: what is asked here about
// rules is asked on connections made for it.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "libcore/domain/time.hpp"
#include "libcore/postgres/pool.hpp"

namespace postgres {

struct ZoneChange {
    std::string timezone;
    bool known;  ///< the server still has it
};

/// The zones whose rules differ from those of the last look. If there are any, a new generation begins.
std::vector<ZoneChange> look_at_zone_rules(Pool& fresh);

/// 32 hexadecimal digits over all rules that the last look saw.
std::string zone_rules_digest(Pool& pool);

struct UnknownZones {
    std::vector<std::string> names;
    int users = 0;  ///< who keep a date there, and for whom nothing can be planned
};

/// Zones in use that the server did not know at the last look.
UnknownZones unknown_zones(Pool& pool);

/// From now on every program makes new connections. For `lease` nobody else takes the generation.
int new_zone_generation(Pool& pool, std::chrono::milliseconds lease);

/// The generation, if it is not settled and nobody is at work on it; nobody else is for `lease`.
std::optional<int> take_zone_generation(Pool& pool, std::chrono::milliseconds lease);
void keep_zone_generation(Pool& pool, std::chrono::milliseconds lease);
/// Lets others take it.
void leave_zone_generation(Pool& pool);
/// All is compared, and nobody went by older rules meanwhile. False if there is a newer generation.
bool settle_zone_generation(Pool& pool, int generation);
bool zones_are_settled(Pool& pool);

struct Session {
    int pid;
    std::string application_name;

    friend bool operator==(const Session&, const Session&) = default;
};

/// Those of this role in this database that are older than the generation, but the one that asks.
std::vector<Session> outdated_sessions(Pool& pool);

/// Pending messages of one type, zone and date whose instant is not that of the present rules.
struct OutdatedUnit {
    std::string message_type;
    std::string timezone;
    domain::Date delivery_date;
    domain::Instant planned;                    ///< less the spread
    std::optional<domain::Instant> instant;     ///< nothing: the time does not exist and is skipped
    std::chrono::microseconds planned_ahead{};  ///< of UTC
    std::optional<std::chrono::microseconds> ahead;
    int messages = 0;
};

/// Reads every pending message.
std::vector<OutdatedUnit> outdated_units(Pool& fresh);

struct Replanned {
    int moved = 0;
    int removed = 0;
    int inserted = 0;
    int failed = 0;  ///< users whom the database refuses to replan

    Replanned& operator+=(const Replanned& more);
};

/// Asked between chunks, with what has been done so far: false ends the work there.
using KeepReplanning = std::function<bool(const Replanned& so_far)>;

/// Brings the users of one unit in line, in chunks that each commit. Interrupted anywhere, what is left is in
/// `outdated_units` again.
Replanned replan_outdated(Pool& fresh, const OutdatedUnit& unit, int chunk_size, const KeepReplanning& go_on);

/// The planner looks again at coming days that its types skipped and that may exist now.
void reopen_skipped_days(Pool& fresh);

}  // namespace postgres
