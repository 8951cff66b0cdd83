// The script of a simulated year: who there is, what changes and what breaks, all by the seed. Pure;
// everything happens at whole minutes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "libcore/domain/user.hpp"
#include "tests/support/model/rules.hpp"

namespace year {

using domain::Instant;

struct Options {
    std::uint64_t seed = 1;
    int users = 20'000;
    domain::Date first{std::chrono::year(2027), std::chrono::February, std::chrono::day(27)};
    int days = 368;      ///< so that it has a 28 February without and one with a 29th behind it
    int zones = 10'000;  ///< at most this many are in use at the end
};

struct MessageType {
    std::string name;
    std::string text;
    std::string late_text;  ///< empty: none
    model::Type rules;
};

/// From then on a type is like this; at once for all that waits.
struct Edit {
    Instant at{};
    MessageType type;
};

struct Person {
    domain::UserFields fields;
    std::vector<model::Occasion> dates;  ///< beside birthday and anniversary
    bool deleted = false;
};

/// What happens to one person in one statement; `after` is how they are then.
struct Change {
    enum class Kind { added, edited, date_added, date_removed, deleted };
    Instant at{};
    std::size_t person = 0;
    Kind kind = Kind::edited;
    Person after;
    model::Occasion date;  ///< that is added or removed
};

enum class Fault {
    planner,
    dispatcher,
    worker,
    provider_unavailable,  ///< answers 503
    provider_refusing,     ///< nobody listens
    provider_slow,         ///< sends, and answers too late
    provider_dropping,     ///< sends some, and never answers
    pause,                 ///< of all deliveries
    type_pause,
};

struct Outage {
    Fault fault = Fault::planner;
    Instant from{};
    Instant to{};
    std::string type;          ///< of a type's pause
    bool then_killed = false;  ///< the first worker that comes back is killed amid its work
    bool queue_lost = false;   ///< and the broker has lost its hints meanwhile
};

std::string text(Fault fault);
std::string text(const Outage& outage);

struct World {
    Options options;
    Instant begin{};
    Instant end{};
    std::vector<MessageType> types;
    std::vector<domain::Uuid> ids;  ///< of everybody, also of those who come later
    std::vector<Person> people;     ///< who are there at the beginning
    std::vector<Change> changes;    ///< in their order, like all that follows
    std::vector<Outage> outages;
    std::vector<Edit> edits;         ///< of types; never while the planner is stopped
    std::vector<Instant> plannings;  ///< when a planner looks
    std::vector<Instant> cuts;       ///< when the database drops every connection
};

/// The type of all dates beside birthday and anniversary, whose rules are edited again and again.
inline constexpr const char* custom_type = "CLUB";

/// An address that the provider refuses for good holds this.
inline constexpr const char* refused_address = ".refused@";

World make_world(const Options& options, const std::vector<std::string>& zones);

}  // namespace year
