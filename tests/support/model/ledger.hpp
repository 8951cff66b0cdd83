// The ledger as it should be after each thing that can happen to it. Single-threaded, exact, and free of SQL:
// the real one is compared with it.
#pragma once

#include <compare>
#include <span>

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
    int version = 0;
    int failures = 0;
    int rescues = 0;
    bool in_doubt = false;
    bool by_user = false;     ///< cancelled because the user went: may come back with them
    bool lease_over = false;  ///< its worker is gone

    bool waits() const { return status == Status::scheduled || status == Status::retrying; }
};

class Ledger {
public:
    Instant now{};
    std::map<std::string, Type> types;
    std::map<Uuid, User> users;
    std::map<Key, Message> rows;

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

    /// What a planner that has finished has made.
    void plan(std::chrono::microseconds horizon);
    /// What one that was interrupted may have made so far.
    std::map<Key, Message> plannable(std::chrono::microseconds horizon) const;

    /// What is due up to `until` is taken; what goes to the queue is returned.
    std::vector<Key> dispatch(Instant until);

    /// Of hints, as many times as they come: claimed ones are returned.
    std::vector<Key> claim(std::span<const domain::Delivery> hints, bool lease_over);
    void give_back_hints(std::span<const domain::Delivery> hints, std::chrono::microseconds delay);
    void give_back_claim(const Uuid& id, int attempt, std::chrono::microseconds delay);
    /// True if it landed.
    bool record(const Uuid& id, int attempt, const domain::Outcome& outcome);
    void rescue(bool hints_are_lost, bool park, int max_rescues);

private:
    void begin_change(const Uuid& id);
    void insert_missing(const Uuid& id, Instant since);
    void bring_up_to_date(Key key, const User& user);
    Message planned(const User& user, const Owed& owed) const;
    bool too_late(const Key& key, const Message& message) const;
    std::pair<const Key, Message>* find(const Uuid& id);
};

}  // namespace model
