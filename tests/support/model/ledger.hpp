// The ledger as it should be after each thing that can happen to it. Single-threaded, exact, and free of SQL:
// the real one is compared with it.
#pragma once

#include <compare>
#include <set>
#include <span>

#include "libcore/domain/intervention.hpp"
#include "libcore/domain/message.hpp"
#include "libcore/domain/outcome.hpp"
#include "tests/support/model/rules.hpp"

namespace model {

using domain::Status;
using domain::Uuid;

struct Key {
    Uuid user;
    std::string type;
    Date day;

    friend auto operator<=>(const Key&, const Key&) = default;
};

struct Message {
    /// Learnt when the row is first seen; from then on it must stay.
    std::optional<Uuid> id;
    std::string zone;
    Instant instant{};
    std::string rule;
    Status status = Status::scheduled;
    std::optional<Instant> due;
    int attempt = 0;
    int version = 0;       ///< the user's that it was planned for
    int type_version = 0;  ///< the type's
    int failures = 0;
    int rescues = 0;
    bool in_doubt = false;
    int forced_attempt = 0;   ///< up to which they no longer count
    bool by_user = false;     ///< cancelled because the user went: may come back with them
    bool lease_over = false;  ///< its worker is gone
    std::optional<Instant> replayed_for = {};

    bool waits() const { return status == Status::scheduled || status == Status::retrying; }
};

/// What planners work through: everybody in a zone, one type, one day.
struct Unit {
    std::string type;
    std::string zone;
    Date day;

    friend auto operator<=>(const Unit&, const Unit&) = default;
};

/// How far a unit is; one that is not known was never planned to its end.
struct Planned {
    bool whole = false;
    /// Planned once, and open again from this moment on.
    std::optional<Instant> reopened;
};

class Ledger {
public:
    Instant now{};
    std::map<std::string, Type> types;
    std::map<Uuid, User> users;
    std::map<Key, Message> rows;
    std::map<Unit, Planned> units;
    int last_version = 0;                  ///< of all types
    std::map<std::string, Instant> zones;  ///< since when somebody is in them

    void add(const Uuid& id, User user);

    /// `change_user` makes the user as they are afterwards; it counts as one change.
    template <class Change>
    void change(const Uuid& id, Change change_user) {
        begin_change(id);
        change_user(users.at(id));
        replan(id);
    }

    /// Brings everything of a user that is not final in line with the user as they are now.
    void replan(const Uuid& id);

    /// What planners have to do: all days of a type and zone after the newest planned one.
    std::vector<Unit> units_due(std::chrono::microseconds horizon) const;
    /// A planner that came to the end of the unit; no effect if its days before are not planned yet.
    void plan(const Unit& unit);
    /// What one that was interrupted may have made so far.
    std::map<Key, Message> plannable(const Unit& unit) const;
    /// Planners until nothing is left to do.
    void plan(std::chrono::microseconds horizon);

    /// A new type, of a name that is free.
    void make_type(const std::string& name, Type type);
    /// `change_type` makes the type as it is afterwards.
    template <class Change>
    void edit(const std::string& name, Change change_type) {
        const Type before = types.at(name);
        change_type(types.at(name));
        follow_edit(name, before);
    }
    /// The deleted type's last step: its dates are gone.
    void remove_type(const std::string& name);
    /// Those for whom a message of another version of the type waits.
    std::set<Uuid> outdated_users(const std::string& name) const;

    struct Dispatched {
        std::vector<Key> queued;
        std::set<Uuid> outdated;  ///< to be replanned
    };
    /// What is due up to `until` is taken.
    Dispatched dispatch(Instant until);

    struct Claims {
        std::vector<Key> claimed;
        std::set<Uuid> outdated;  ///< to be replanned
    };
    /// Of hints, as many times as they come.
    Claims claim(std::span<const domain::Delivery> hints, bool lease_over);
    void give_back_hints(std::span<const domain::Delivery> hints, std::chrono::microseconds delay);
    void give_back_claim(const Uuid& id, int attempt, std::chrono::microseconds delay);
    /// True if it landed.
    bool record(const Uuid& id, int attempt, const domain::Outcome& outcome);
    void rescue(bool hints_are_lost, bool park, int max_rescues);

    /// By a person; or why not.
    std::optional<domain::Refusal> cancel(const Uuid& id);
    std::optional<domain::Refusal> replay(const Uuid& id, const domain::ReplayOptions& options);

private:
    void begin_change(const Uuid& id);
    void follow_edit(const std::string& name, const Type& before);
    const Type* live(const std::string& name) const;
    Date first_unplanned(const std::string& name, const std::string& zone) const;
    bool became_known_too_late(const std::string& zone, const Owed& owed) const;
    void insert_missing(const Uuid& id, Instant since);
    void bring_up_to_date(Key key, const User& user);
    Message planned(const User& user, const Owed& owed) const;
    bool too_late(const Key& key, const Message& message) const;
    std::pair<const Key, Message>* find(const Uuid& id);
};

}  // namespace model
