// What clients and people do to users, occasions and types.
#include <algorithm>

#include "tests/libcore/postgres/walk.hpp"

namespace walk {

namespace {

using std::chrono::days;
using std::chrono::floor;

/// Every date that stands on users.
void set_date(model::User& user, const std::string& type, const std::optional<domain::Date>& date) {
    std::erase_if(user.occasions, [&](const auto& occasion) { return occasion.type == type; });
    if (date) user.occasions.push_back({type, *date, false});
}

}  // namespace

void Walk::add(Dice& dice) {
    static constexpr postgres::Statement share{"walk_share", "SELECT spread_offset($1, '1000000 hours')"};
    auto person = Ledger::born(some_date(dice), dice.of(zones_));
    if (dice.one_in(4)) person.birthday_date.reset();
    if (dice.one_in(2)) person.anniversary_date = some_date(dice);
    person.opted_out = dice.one_in(8);
    const auto id = real_.add(person);
    model::User user;
    user.zone = person.timezone;
    user.opted_out = person.opted_out;
    set_date(user, "BIRTHDAY", person.birthday_date);
    set_date(user, "ANNIVERSARY", person.anniversary_date);
    const auto offset = real_.pool.run(share, id).front().get<std::chrono::microseconds>(0);
    user.share = static_cast<double>(offset.count()) / 3.6e15;
    model_.add(id, user);
    people_.push_back(id);
    tell("add " + domain::to_string(id).substr(24) + " in " + person.timezone + " born " +
         (person.birthday_date ? domain::to_string(*person.birthday_date) : "-") + " anniversary " +
         (person.anniversary_date ? domain::to_string(*person.anniversary_date) : "-") +
         (person.opted_out ? " opted out" : ""));
}

template <class Change>
void Walk::change_fields(const Uuid& id, const std::string& what, Change change) {
    tell(what + " of " + domain::to_string(id).substr(24));
    domain::UserFields before, after;
    real_.change(id, [&](domain::UserFields& fields) {
        before = fields;
        change(fields);
        after = fields;
    });
    if (std::tie(before.timezone, before.birthday_date, before.anniversary_date, before.opted_out) ==
        std::tie(after.timezone, after.birthday_date, after.anniversary_date, after.opted_out))
        return;
    model_.change(id, [&](model::User& user) {
        user.zone = after.timezone;
        user.opted_out = after.opted_out;
        set_date(user, "BIRTHDAY", after.birthday_date);
        set_date(user, "ANNIVERSARY", after.anniversary_date);
    });
}

void Walk::move_date(Dice& dice, const std::string& type) {
    const auto id = someone(dice);
    if (!id) return;
    const auto date = dice.one_in(5) ? std::nullopt : std::optional(some_date(dice));
    change_fields(*id, type + " to " + (date ? domain::to_string(*date) : "-"),
                  [&](domain::UserFields& fields) {
                      (type == "BIRTHDAY" ? fields.birthday_date : fields.anniversary_date) = date;
                  });
}

void Walk::move_zone(Dice& dice) {
    const auto id = someone(dice);
    const auto zone = dice.of(zones_);
    if (id)
        change_fields(*id, "zone to " + zone, [&](domain::UserFields& fields) { fields.timezone = zone; });
}

void Walk::opt(Dice& dice) {
    const auto id = someone(dice);
    if (!id) return;
    const bool out = !model_.users.at(*id).opted_out;
    change_fields(*id, out ? "opt-out" : "opt-in",
                  [&](domain::UserFields& fields) { fields.opted_out = out; });
}

void Walk::rename(Dice& dice) {
    const auto id = someone(dice);
    if (id) change_fields(*id, "rename", [&](domain::UserFields& fields) { fields.first_name = "Grace"; });
}

void Walk::remove(Dice& dice) {
    const auto id = someone(dice);
    if (!id) return;
    tell("delete " + domain::to_string(*id).substr(24));
    expect(postgres::delete_user(real_.pool, *id), "not deleted");
    model_.change(*id, [](model::User& user) { user.deleted = true; });
}

void Walk::restore(Dice& dice) {
    static constexpr postgres::Statement restore_user{"walk_restore",
                                                      "UPDATE users SET deleted_at = NULL WHERE id = $1"};
    const auto id = someone(dice, true);
    if (!id) return;
    tell("restore " + domain::to_string(*id).substr(24));
    real_.pool.run(restore_user, *id);
    model_.change(*id, [](model::User& user) { user.deleted = false; });
}

bool Walk::renewal_is_live() const {
    const auto type = model_.types.find("RENEWAL");
    return type != model_.types.end() && !type->second.deleted;
}

void Walk::add_occasion(Dice& dice) {
    static constexpr postgres::Statement insert{
        "walk_add_occasion",
        "INSERT INTO user_occasions VALUES ($1, 'RENEWAL', $2, $3) ON CONFLICT DO NOTHING"};
    const auto id = someone(dice);
    if (!id) return;
    const bool one_off = dice.one_in(3);
    const auto date =
        one_off ? domain::Date(floor<days>(model_.now) + days(dice.below(5) - 1)) : some_date(dice);
    auto& theirs = model_.users.at(*id).occasions;
    if (std::ranges::any_of(theirs, [&](const auto& o) { return o.type == "RENEWAL" && o.date == date; }))
        return;
    tell("occasion " + domain::to_string(date) + (one_off ? " once" : "") + " of " +
         domain::to_string(*id).substr(24));
    if (!renewal_is_live()) {
        bool refused = false;
        try {
            real_.pool.run(insert, *id, date, one_off);
        } catch (const postgres::DatabaseError&) {
            refused = true;
        }
        expect(refused, "a type that is gone takes a date");
        return;
    }
    real_.pool.run(insert, *id, date, one_off);
    model_.change(*id, [&](model::User& user) { user.occasions.push_back({"RENEWAL", date, one_off}); });
}

void Walk::remove_occasion(Dice& dice) {
    static constexpr postgres::Statement erase{
        "walk_remove_occasion",
        "DELETE FROM user_occasions WHERE user_id = $1 AND message_type = 'RENEWAL' AND date = $2"};
    const auto id = someone(dice);
    if (!id) return;
    const auto theirs = model_.users.at(*id).occasions;
    const auto found = std::ranges::find(theirs, "RENEWAL", &model::Occasion::type);
    if (found == theirs.end()) return;
    tell("no occasion " + domain::to_string(found->date) + " of " + domain::to_string(*id).substr(24));
    real_.pool.run(erase, *id, found->date);
    if (renewal_is_live())
        model_.change(*id, [&](model::User& user) { std::erase(user.occasions, *found); });
    else
        std::erase(model_.users.at(*id).occasions, *found);
}

void Walk::move_occasion(Dice& dice) {
    static constexpr postgres::Statement move{
        "walk_move_occasion",
        "UPDATE user_occasions SET date = $3 WHERE user_id = $1 AND message_type = 'RENEWAL' AND date = $2"};
    const auto id = someone(dice);
    if (!id || !renewal_is_live()) return;
    const auto theirs = model_.users.at(*id).occasions;
    const auto found = std::ranges::find(theirs, "RENEWAL", &model::Occasion::type);
    const auto date = some_date(dice);
    if (found == theirs.end() ||
        std::ranges::any_of(theirs, [&](const auto& o) { return o.type == "RENEWAL" && o.date == date; }))
        return;
    tell("occasion " + domain::to_string(found->date) + " to " + domain::to_string(date) + " of " +
         domain::to_string(*id).substr(24));
    real_.pool.run(move, *id, found->date, date);
    model_.change(*id, [&](model::User& user) { std::ranges::find(user.occasions, *found)->date = date; });
}

// Whoever has something under way changes just what it came from.
void Walk::disturb(Dice& dice) {
    std::vector<model::Key> under_way;
    for (const auto& [key, message] : model_.rows)
        if (message.attempt > 0 && (message.waits() || message.status == model::Status::queued))
            under_way.push_back(key);
    if (under_way.empty()) return;
    const auto key = dice.of(under_way);
    const auto& user = model_.users.at(key.user);
    if (user.deleted || key.type == "RENEWAL") return;
    std::optional<domain::Date> other;
    if (dice.one_in(3)) other = some_date(dice);
    change_fields(key.user, "what is under way: " + key.type, [&](domain::UserFields& fields) {
        if (dice.one_in(4))
            fields.timezone = dice.of(zones_);
        else
            (key.type == "BIRTHDAY" ? fields.birthday_date : fields.anniversary_date) = other;
    });
}

}  // namespace walk
