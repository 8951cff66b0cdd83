// What must have become of every message of one person: computed from the script of the year and the steps
// that were let happen, by the model of the ledger and the oracle of civil time. Pure; knows nothing of what
// the system made of it.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "tests/support/model/ledger.hpp"
#include "tests/support/year/record.hpp"
#include "tests/support/year/world.hpp"

namespace year {

/// To whom and with what words: fixed when a message is first taken up.
struct Wording {
    std::string email;
    std::string text;

    friend bool operator==(const Wording&, const Wording&) = default;
};

struct Expected {
    domain::Status status{};
    Instant instant{};
    std::string zone;
    /// When the provider takes it first: after an attempt in doubt nobody can tell.
    Instant earliest{};
    Instant latest{};
    std::optional<Instant> missed_at;
    bool may_come_twice = false;
    /// More than one where it was tried in vain while the provider was away: it depends on real time whether
    /// the worker's circuit let it through.
    std::vector<Wording> wordings;
};

using Key = std::pair<std::string, domain::Date>;  // of one person: type and date

class Expectation {
public:
    Expectation(const World& world, const std::vector<Step>& steps);

    std::map<Key, Expected> of(std::size_t person);

private:
    struct Attempts {
        std::vector<Wording> wordings;
        std::optional<Instant> first_doubt;
        std::optional<Instant> sent;
        std::optional<Instant> missed;
        bool killed = false;
    };

    void begin(std::size_t person);
    std::size_t next(std::size_t step) const;
    void live(const Step& step);
    void change(const Change& change);
    void edit(const Edit& edit);
    void plan();
    void work(const Step& step);
    void deliver(const Step& step, const model::Key& key);
    Wording wording(const model::Key& key, Instant now) const;

    const World& world_;
    const std::vector<Step>& steps_;
    std::map<std::string, model::Type> types_;         ///< at the beginning
    std::vector<std::vector<const Change*>> changes_;  ///< of each person
    std::vector<const Outage*> type_pauses_;
    std::vector<Instant> planned_until_;  ///< by the last round of planning, at each step

    // Of the person in hand.
    domain::Uuid id_;
    Person present_;
    model::Ledger ledger_;
    std::map<std::string, const MessageType*> texts_;
    std::vector<domain::Delivery> hints_;
    std::map<model::Key, Attempts> attempts_;
    const std::vector<const Change*>* to_come_ = nullptr;
    std::size_t change_ = 0;
    std::size_t type_pause_ = 0;
    std::size_t edit_ = 0;
    std::uint8_t next_id_ = 0;
};

}  // namespace year
