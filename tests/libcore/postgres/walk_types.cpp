// What people do to message types, and the scheduler's pass that follows.
#include <algorithm>

#include "tests/libcore/postgres/walk.hpp"

namespace walk {

namespace {

constexpr postgres::Statement write_type{"walk_write_type", R"(
    UPDATE message_types SET send_at = '00:00'::time + $2::interval, gap_rule = $3, fold_rule = $4, leap_day = $5,
           catch_up = $6, max_lateness = $7, spread = $8, late_template = $9 WHERE name = $1)"};

void write(postgres::Pool& pool, const std::string& name, const model::Type& type,
           const std::string& late_template) {
    pool.run(write_type, name, type.send_at, model::text(type.gap), model::text(type.fold),
             model::text(type.leap_day), type.catch_up, type.max_lateness, type.spread, late_template);
}

// Some field, by number; the same value may come again.
void edit_field(model::Type& type, int field, Dice& dice) {
    switch (field) {
        case 0:
            type.send_at = dice.of(
                std::vector<std::chrono::seconds>{9h, 9h, 2h + 30min, 1h + 15min, 15min, 23h + 45min});
            break;
        case 1:
            type.leap_day =
                dice.of(std::vector{model::LeapDay::feb28, model::LeapDay::mar1, model::LeapDay::skip});
            break;
        case 2:
            type.gap =
                dice.of(std::vector{oracle::Gap::shift_forward, oracle::Gap::before_gap, oracle::Gap::skip});
            break;
        case 3:
            type.fold = dice.of(std::vector{oracle::Fold::first, oracle::Fold::second});
            break;
        case 4:
            type.spread = dice.one_in(3) ? dice.of(std::vector{1h, 12h}) : 0h;
            break;
        case 5:
            type.catch_up = dice.one_in(3) ? std::chrono::hours(24) : std::chrono::hours(240);
            break;
        case 6:
            type.max_lateness = dice.of(std::vector<std::chrono::minutes>{48h, 48h, 26h, 90min, 240h});
    }
}

constexpr int fields = 7;

}  // namespace

// The rules that a walk begins with, as if they had always been.
void Walk::set_type(const std::string& name, Dice& dice) {
    static constexpr postgres::Statement settle{"walk_settle_type", R"(
        UPDATE message_types SET created_at = $2, rules_changed_at = 'epoch', replanned_version = version
        WHERE name = $1 RETURNING version)"};
    static constexpr postgres::Statement clear{
        "walk_clear_pause", "UPDATE message_types SET paused_until = NULL WHERE name = $1"};
    model::Type type;
    for (int field = 0; field < fields; ++field) edit_field(type, field, dice);
    if (dice.one_in(3)) type.created_at = model_.now;
    write(real_.pool, name, type, "Late");
    real_.pool.run(clear, name);
    type.version = real_.pool.run(settle, name, type.created_at).front().get<int>(0);
    model_.last_version = std::max(model_.last_version, type.version);
    model_.types[name] = type;
    tell_type(name);
}

void Walk::tell_type(const std::string& name) {
    const auto& type = model_.types.at(name);
    std::ostringstream out;
    out << name << " at " << type.send_at.count() / 60 << " min, " << model::text(type.gap) << ", "
        << model::text(type.fold) << ", " << model::text(type.leap_day) << ", catch_up " << type.catch_up / 1h
        << " h, max_lateness " << type.max_lateness / 1min << " min, spread " << type.spread / 1h
        << " h, created " << domain::to_string(type.created_at);
    tell(out.str());
}

void Walk::compare_types() {
    static constexpr postgres::Statement all{"walk_types", R"(
        SELECT name, version, replanned_version < version, deleted_at IS NOT NULL, rules_changed_at
        FROM message_types ORDER BY name)"};
    const auto line = [](const std::string& name, int version, bool behind, bool deleted, auto changed_at) {
        return name + " version " + std::to_string(version) + (behind ? " behind" : "") +
               (deleted ? " deleted" : "") + " rules of " + domain::to_string(changed_at) + "\n";
    };
    std::string are, should;
    for (const auto row : real_.pool.run(all))
        are += line(row.get<std::string>(0), row.get<int>(1), row.get<bool>(2), row.get<bool>(3),
                    row.get<domain::Instant>(4));
    for (const auto& [name, type] : model_.types)
        should += line(name, type.version, type.behind, type.deleted, type.rules_changed_at);
    expect(are == should, "types should be:\n" + should + "are:\n" + are);
}

void Walk::edit_type(Dice& dice) {
    std::vector<std::string> names;
    for (const auto& [name, type] : model_.types)
        if (!type.deleted) names.push_back(name);
    const auto name = dice.of(names);
    model_.edit(name, [&](model::Type& type) {
        // Mostly the time of day, and 29 February: what they move is near.
        for (int i = 1 + dice.below(2); i > 0; --i)
            edit_field(type, dice.one_in(2) ? dice.below(2) : dice.below(fields), dice);
    });
    write(real_.pool, name, model_.types.at(name), dice.one_in(2) ? "Late" : "Too late");
    tell("edit, version " + std::to_string(model_.types.at(name).version));
    tell_type(name);
}

void Walk::pause_type(Dice& dice) {
    static constexpr postgres::Statement pause{"walk_pause",
                                               "UPDATE message_types SET paused_until = $2 WHERE name = $1"};
    std::vector<std::string> names;
    for (const auto& [name, type] : model_.types)
        if (!type.deleted) names.push_back(name);
    const auto name = dice.of(names);
    std::optional<domain::Instant> until;
    if (dice.below(3) > 0) until = model_.now + std::chrono::minutes(dice.below(600));
    model_.edit(name, [&](model::Type& type) { type.paused_until = until; });
    tell("pause " + name + " until " + (until ? domain::to_string(*until) : "-"));
    real_.pool.run(pause, name, until);
}

void Walk::delete_type(Dice&) {
    if (!renewal_is_live()) return;
    tell("delete RENEWAL");
    model_.edit("RENEWAL", [](model::Type& type) { type.deleted = true; });
    real_.execute("UPDATE message_types SET deleted_at = app_now() WHERE name = 'RENEWAL'");
}

void Walk::make_type(Dice& dice) {
    static constexpr postgres::Statement make{"walk_make_type", R"(
        INSERT INTO message_types (name, template, send_at) VALUES ('RENEWAL', '{years}', '00:00'::time + $1::interval)
        )"};
    if (model_.types.contains("RENEWAL")) return;
    model::Type type;
    type.send_at = dice.of(std::vector<std::chrono::seconds>{9h, 1h + 15min, 23h + 45min});
    type.created_at = type.rules_changed_at = model_.now;
    real_.pool.run(make, type.send_at);
    model_.make_type("RENEWAL", type);
    tell("make RENEWAL anew");
}

// The scheduler's pass, which may end anywhere.
void Walk::bring_in_line(Dice& dice) {
    tell("bring messages in line with their types");
    std::set<std::string> should, are;
    for (const auto& [name, type] : model_.types)
        if (type.behind || type.deleted) should.insert(name);
    const auto changed = postgres::changed_types(real_.pool);
    for (const auto& type : changed) are.insert(type.name);
    expect(are == should, "other types have changed");
    const bool interrupted = dice.one_in(3);
    for (const auto& type : changed) {
        const int limit = interrupted ? 1 + dice.below(2) : 100;
        for (;;) {
            const auto outdated = model_.outdated_users(type.name);
            const auto users = postgres::outdated_users(real_.pool, type, limit);
            expect(users.empty() == outdated.empty(), "somebody waits for the pass, or should not");
            if (users.empty()) break;
            for (const auto& user : users) expect(outdated.contains(user), "somebody need not be replanned");
            postgres::replan(real_.pool, users);
            for (const auto& user : users) model_.replan(user);
            compare();
            if (interrupted && dice.one_in(2)) return tell("and is interrupted");
        }
        if (!type.deleted) {
            postgres::note_replanned(real_.pool, type);
            model_.types.at(type.name).behind = false;
            continue;
        }
        while (model_.types.contains(type.name)) {
            remove_part_of_type(type.name, limit);
            if (interrupted && dice.one_in(2)) return tell("and is interrupted");
        }
    }
}

// Which of the dates go first is nobody's concern.
void Walk::remove_part_of_type(const std::string& name, int size) {
    static constexpr postgres::Statement remove{"walk_remove_type", "SELECT remove_type($1, $2)"};
    static constexpr postgres::Statement left{
        "walk_dates_left", "SELECT user_id, date FROM user_occasions WHERE message_type = $1"};
    const bool removed = real_.pool.run(remove, name, size).front().get<bool>(0);
    std::set<std::pair<Uuid, domain::Date>> dates;
    for (const auto row : real_.pool.run(left, name))
        dates.emplace(row.get<Uuid>(0), row.get<domain::Date>(1));
    std::size_t gone = 0;
    for (auto& [id, user] : model_.users)
        gone += std::erase_if(user.occasions, [&, id = id](const auto& occasion) {
            return occasion.type == name && !dates.contains({id, occasion.date});
        });
    expect(removed == dates.empty() && gone <= static_cast<std::size_t>(size), "dates of a deleted type");
    if (removed) model_.remove_type(name);
}

}  // namespace walk
