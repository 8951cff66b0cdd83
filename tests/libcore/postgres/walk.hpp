// A random walk through what can happen to a ledger: each step is done to the real one and to the model, and
// what they hold is compared. A walk is its seed and its steps, so that a failure can be replayed and cut
// short.
#pragma once

#include <functional>
#include <random>
#include <sstream>

#include "libcore/postgres/cancel_table.hpp"
#include "libcore/postgres/record_table.hpp"
#include "libcore/postgres/replay_table.hpp"
#include "libcore/postgres/rescue_table.hpp"
#include "tests/libcore/postgres/ledger.hpp"
#include "tests/support/model/ledger.hpp"

namespace walk {

using domain::Uuid;

/// Random numbers of one step or one walk: the same from the same seed, whatever happened before.
class Dice {
public:
    explicit Dice(unsigned seed) : engine_(seed * 2654435761U + 1) { engine_.discard(3); }

    int below(int count) { return static_cast<int>(engine_() % static_cast<unsigned>(count)); }
    bool one_in(int count) { return below(count) == 0; }

    template <class Range>
    const auto& of(const Range& range) {
        return range[static_cast<std::size_t>(below(static_cast<int>(range.size())))];
    }

    template <class Range>
    void shuffle(Range& range) {
        std::shuffle(range.begin(), range.end(), engine_);
    }

private:
    std::mt19937 engine_;
};

/// `action` is any number; `dice` decides everything else about the step: so it means much the same when
/// others are left out.
struct Step {
    int action = 0;
    unsigned dice = 0;
};

/// The rows of the real ledger, as the model has them.
std::map<model::Key, model::Message> read(postgres::Pool& pool);

std::string describe(const model::Key& key, const model::Message& message);

/// What a walk holds against the ledger.
struct Difference : std::runtime_error {
    using std::runtime_error::runtime_error;
};

class Walk {
public:
    /// Empties the ledger; the seed chooses the season, the zones and the types' rules.
    Walk(Ledger& real, unsigned seed);

    /// Throws Difference where the ledger and the model part.
    void take(const Step& step);

    /// What was done so far, a line each.
    std::string story() const;

private:
    struct Claim {
        Uuid id;
        domain::Date date;
        int attempt = 0;
        int failures = 0;
        bool in_doubt = false;
    };

    void begin(Dice& dice);
    void compare_types();
    void compare(const std::map<model::Key, model::Message>& allowed = {});
    void expect(bool holds, const std::string& what) const;
    void tell(const std::string& line) { lines_.push_back(domain::to_string(model_.now) + "  " + line); }

    std::optional<Uuid> someone(Dice& dice, bool deleted = false);
    domain::Date some_day(Dice& dice);
    domain::Date some_date(Dice& dice);
    template <class Change>
    void change_fields(const Uuid& id, const std::string& what, Change change);
    void set_clock(model::Instant now);

    void add(Dice& dice);
    void move_date(Dice& dice, const std::string& type);
    void move_zone(Dice& dice);
    void opt(Dice& dice);
    void remove(Dice& dice);
    void restore(Dice& dice);
    void rename(Dice& dice);
    bool renewal_is_live() const;
    void add_occasion(Dice& dice);
    void remove_occasion(Dice& dice);
    void move_occasion(Dice& dice);

    void set_type(const std::string& name, Dice& dice);
    void tell_type(const std::string& name);
    void edit_type(Dice& dice);
    void pause_type(Dice& dice);
    void delete_type(Dice& dice);
    void make_type(Dice& dice);
    void bring_in_line(Dice& dice);
    void remove_part_of_type(const std::string& name, int size);

    void pass_time(Dice& dice);
    std::vector<postgres::Unit> units_due();
    void plan_unit(const postgres::Unit& unit, int size);
    void replan_outdated(const std::set<Uuid>& users, bool dies);
    void plan(Dice& dice);
    void plan_partly(Dice& dice);
    void replan(Dice& dice);
    void dispatch(Dice& dice);
    void fail_to_dispatch(Dice& dice);
    void claim(Dice& dice);
    void give_back(Dice& dice);
    void record(Dice& dice);
    void rescue(Dice& dice);
    void deliver(Dice& dice);
    void cancel(Dice& dice);
    void replay(Dice& dice);
    Uuid some_message(Dice& dice);
    void disturb(Dice& dice);

    Ledger& real_;
    model::Ledger model_;
    std::vector<std::string> zones_;
    std::vector<Uuid> people_;
    std::vector<domain::Delivery> hints_;
    std::vector<Claim> claims_;
    std::vector<std::string> lines_;
};

}  // namespace walk
