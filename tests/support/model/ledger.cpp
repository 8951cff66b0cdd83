#include "tests/support/model/ledger.hpp"

#include <algorithm>

namespace model {

namespace {

// A change plans two hours farther than any planner.
constexpr std::chrono::hours reach(28);

// A retry waits no longer than this, but for the end of a pause, which is looked up when it comes to that.
constexpr std::chrono::hours longest_retry(1);

// What is outdated lets others pass until it is replanned.
constexpr std::chrono::seconds outdated_wait(5);

// Neither over nor in a worker's hands.
bool is_pending(Status status) {
    return status == Status::scheduled || status == Status::queued || status == Status::retrying;
}

void end(Message& message, Status status) {
    message.status = status;
    message.due.reset();
}

}  // namespace

void Ledger::add(const Uuid& id, User user) {
    user.changed_at = now;
    zones.try_emplace(user.zone, now);
    users[id] = std::move(user);
    insert_missing(id, now);
}

// What was owed until now stays owed, even if the planner is behind: it moves with the user.
void Ledger::begin_change(const Uuid& id) {
    User& user = users.at(id);
    insert_missing(id, user.changed_at);
    ++user.version;
    user.changed_at = now;
}

void Ledger::insert_missing(const Uuid& id, Instant since) {
    const User& user = users.at(id);
    if (!user.reachable()) return;
    for (const Owed& owed : owed_between(user, types, since, now + reach)) {
        const Type& type = types.at(owed.type);
        if (owed.instant >= std::max(type.created_at, now - type.catch_up) &&
            !became_known_too_late(user.zone, owed))
            rows.try_emplace({id, owed.type, owed.day}, planned(user, owed));
    }
}

// What the rules of before left out of a day that was planned, and the present ones do not, was not known
// before the edit.
bool Ledger::became_known_too_late(const std::string& zone, const Owed& owed) const {
    const auto unit = units.find({owed.type, zone, owed.day});
    if (unit == units.end()) return false;
    if (unit->second.reopened) return owed.instant < *unit->second.reopened;
    return unit->second.whole && owed.instant < types.at(owed.type).rules_changed_at;
}

const Type* Ledger::live(const std::string& name) const {
    const auto type = types.find(name);
    return type == types.end() || type->second.deleted ? nullptr : &type->second;
}

void Ledger::replan(const Uuid& id) {
    const User& user = users.at(id);
    zones.try_emplace(user.zone, now);
    std::vector<Key> theirs;
    for (const auto& [key, message] : rows)
        if (key.user == id) theirs.push_back(key);
    for (const Key& key : theirs) bring_up_to_date(key, user);
    insert_missing(id, user.changed_at);
}

void Ledger::bring_up_to_date(Key key, const User& user) {
    Message& message = rows.at(key);
    const bool cancelled = message.status == Status::cancelled;
    if (!is_pending(message.status) && !cancelled) return;
    if (!user.reachable()) {
        if (cancelled) return;
        end(message, message.in_doubt ? Status::unknown : Status::cancelled);
        message.by_user = message.status == Status::cancelled;
        message.version = user.version;
        if (live(key.type)) message.type_version = types.at(key.type).version;
        return;
    }
    const Type* const type = live(key.type);
    if (!type && message.in_doubt) {
        if (!cancelled) end(message, Status::unknown);
        message.version = cancelled ? message.version : user.version;
        return;
    }
    const auto owed = type ? owed_on(user, key.type, *type, key.day) : std::nullopt;
    // Cancelled by a person stays so, even if the date moves away, as long as there is the type.
    if (cancelled && !message.by_user && type) return;
    if (!owed && !message.in_doubt) {
        rows.erase(key);
        return;
    }
    // What the user's absence cancelled comes back if its time has not passed before them.
    if (cancelled && owed->instant < user.changed_at) return;
    if (!cancelled && message.version == user.version && message.type_version == type->version &&
        (!owed || (owed->instant == message.instant && owed->rule == message.rule)))
        return;
    if (owed) {
        message.zone = user.zone;
        message.instant = owed->instant;
        message.rule = owed->rule;
    }
    message.version = user.version;
    message.type_version = type->version;
    message.by_user = false;
    if (message.attempt == 0) {
        message.status = Status::scheduled;
        message.due = message.instant;
    } else {
        // A retry keeps its back-off.
        message.status = Status::retrying;
        message.due = std::max(std::min(message.due.value_or(now), now + longest_retry),
                               owed ? owed->instant : Instant::min());
    }
    message.due = std::max(*message.due, message.replayed_for.value_or(*message.due));
}

Message Ledger::planned(const User& user, const Owed& owed) const {
    return {.id = {},
            .zone = user.zone,
            .instant = owed.instant,
            .rule = owed.rule,
            .due = owed.instant,
            .version = user.version,
            .type_version = types.at(owed.type).version};
}

// After the newest day that is planned to its end; at the start, before anybody could be there in any zone.
Date Ledger::first_unplanned(const std::string& name, const std::string& zone) const {
    std::optional<Date> newest;
    for (const auto& [unit, state] : units)
        if (unit.type == name && unit.zone == zone && state.whole && (!newest || unit.day > *newest))
            newest = unit.day;
    if (newest) return std::chrono::sys_days(*newest) + std::chrono::days(1);
    const auto since = std::max(zones.at(zone), types.at(name).created_at);
    return Date(std::chrono::floor<std::chrono::days>(since) - std::chrono::days(2));
}

std::vector<Unit> Ledger::units_due(std::chrono::microseconds horizon) const {
    std::vector<Unit> due;
    for (const auto& [name, type] : types) {
        if (type.deleted) continue;
        for (const auto& [zone, since] : zones)
            for (auto day = first_unplanned(name, zone); unit_time(zone, day, type) < now + horizon;
                 day = std::chrono::sys_days(day) + std::chrono::days(1))
                due.push_back({name, zone, day});
    }
    return due;
}

std::map<Key, Message> Ledger::plannable(const Unit& unit) const {
    std::map<Key, Message> missing;
    const Type* const type = live(unit.type);
    if (!type || unit.day != first_unplanned(unit.type, unit.zone)) return missing;
    const auto state = units.find(unit);
    Instant known = type->created_at;
    if (state != units.end() && state->second.reopened) known = std::max(known, *state->second.reopened);
    for (const auto& [id, user] : users) {
        if (!user.reachable() || user.zone != unit.zone) continue;
        const auto owed = owed_on(user, unit.type, *type, unit.day);
        const Key key{id, unit.type, unit.day};
        if (owed && owed->instant >= std::max(user.changed_at, known) && !rows.contains(key))
            missing.emplace(key, planned(user, *owed));
    }
    return missing;
}

void Ledger::plan(const Unit& unit) {
    if (!live(unit.type) || unit.day != first_unplanned(unit.type, unit.zone)) return;
    rows.merge(plannable(unit));
    units[unit] = {.whole = true, .reopened = {}};
}

void Ledger::plan(std::chrono::microseconds horizon) {
    for (const Unit& unit : units_due(horizon)) plan(unit);
}

void Ledger::make_type(const std::string& name, Type type) {
    type.version = ++last_version;
    types[name] = type;
}

// Words and limits move nothing; rules do, and open the planned days that are not over anywhere yet; an end
// of a pause that comes nearer, and the end of the type itself, only make what is pending outdated.
void Ledger::follow_edit(const std::string& name, const Type& before) {
    Type& type = types.at(name);
    const bool rules_changed = !type.has_rules_of(before);
    const bool released = before.paused_until && *before.paused_until > now &&
                          type.paused_until.value_or(now) < *before.paused_until;
    if (!rules_changed && !released && type.deleted == before.deleted) return;
    type.version = ++last_version;
    type.behind = true;
    if (!rules_changed) return;
    type.rules_changed_at = now;
    const Date oldest = std::chrono::floor<std::chrono::days>(now) - std::chrono::days(2);
    for (auto& [unit, state] : units) {
        if (unit.type != name || !state.whole || unit.day < oldest) continue;
        state.whole = false;
        state.reopened = state.reopened.value_or(now);
    }
}

void Ledger::remove_type(const std::string& name) {
    types.erase(name);
    std::erase_if(units, [&](const auto& unit) { return unit.first.type == name; });
}

std::set<Uuid> Ledger::outdated_users(const std::string& name) const {
    std::set<Uuid> found;
    for (const auto& [key, message] : rows)
        if (key.type == name && message.waits() && message.type_version != types.at(name).version)
            found.insert(key.user);
    return found;
}

bool Ledger::too_late(const Key& key, const Message& message) const {
    return now > std::max(message.instant, message.replayed_for.value_or(message.instant)) +
                     types.at(key.type).max_lateness;
}

Ledger::Dispatched Ledger::dispatch(Instant until) {
    Dispatched taken;
    for (auto& [key, message] : rows) {
        if (!message.waits() || *message.due > std::min(until, now)) continue;
        const Type* const type = live(key.type);
        if (!type || type->version != message.type_version) {
            message.due = now + outdated_wait;
            taken.outdated.insert(key.user);
        } else if (too_late(key, message)) {
            end(message, message.in_doubt ? Status::unknown : Status::missed);
        } else if (type->paused_until && *type->paused_until > now) {
            message.due = type->paused_until;
        } else {
            end(message, Status::queued);
            taken.queued.push_back(key);
        }
    }
    return taken;
}

std::pair<const Key, Message>* Ledger::find(const Uuid& id) {
    const auto found = std::ranges::find_if(rows, [&](const auto& row) { return row.second.id == id; });
    return found == rows.end() ? nullptr : &*found;
}

Ledger::Claims Ledger::claim(std::span<const domain::Delivery> hints, bool lease_over) {
    Claims taken;
    for (const domain::Delivery& hint : hints) {
        auto* const row = find(hint.message_id);
        if (!row || row->second.status != Status::queued || row->second.attempt != hint.attempt) continue;
        auto& [key, message] = *row;
        const User& user = users.at(key.user);
        const Type* const type = live(key.type);
        if (!user.reachable() || user.version != message.version || !type ||
            type->version != message.type_version) {
            taken.outdated.insert(key.user);
            continue;
        }
        ++message.attempt;
        if (too_late(key, message)) {
            end(message, message.in_doubt ? Status::unknown : Status::missed);
        } else {
            message.status = Status::sending;
            message.lease_over = lease_over;
            taken.claimed.push_back(key);
        }
    }
    return taken;
}

void Ledger::give_back_hints(std::span<const domain::Delivery> hints, std::chrono::microseconds delay) {
    for (const domain::Delivery& hint : hints) {
        auto* const row = find(hint.message_id);
        if (!row || row->second.status != Status::queued || row->second.attempt != hint.attempt) continue;
        row->second.status = Status::retrying;
        row->second.due = now + delay;
    }
}

void Ledger::give_back_claim(const Uuid& id, int attempt, std::chrono::microseconds delay) {
    auto* const row = find(id);
    if (!row || row->second.status != Status::sending || row->second.attempt != attempt) return;
    row->second.status = Status::retrying;
    row->second.due = now + delay;
}

bool Ledger::record(const Uuid& id, int attempt, const domain::Outcome& outcome) {
    auto* const row = find(id);
    if (!row) return false;
    Message& message = row->second;
    const bool sent = outcome.ending == domain::Ending::sent;
    const bool has_lease = message.status == Status::sending && message.attempt == attempt;
    const bool learnt_late = sent && message.attempt >= attempt && attempt > message.forced_attempt &&
                             (is_pending(message.status) || message.status == Status::sending ||
                              message.status == Status::unknown);
    if (!has_lease && !learnt_late) return false;
    end(message, sent                                         ? Status::sent
                 : outcome.ending == domain::Ending::retrying ? Status::retrying
                 : outcome.ending == domain::Ending::failed   ? Status::failed
                                                              : Status::unknown);
    if (message.status == Status::retrying) message.due = now + outcome.delay;
    message.failures = outcome.failures;
    message.in_doubt = message.in_doubt || outcome.in_doubt;
    return true;
}

std::optional<domain::Refusal> Ledger::cancel(const Uuid& id) {
    Message& message = find(id)->second;
    if (message.status == Status::sending) return domain::Refusal::in_flight;
    if (!is_pending(message.status)) return domain::Refusal::wrong_status;
    end(message, message.in_doubt ? Status::unknown : Status::cancelled);
    message.by_user = false;
    return std::nullopt;
}

std::optional<domain::Refusal> Ledger::replay(const Uuid& id, const domain::ReplayOptions& options) {
    auto& [key, message] = *find(id);
    const bool sent = message.status == Status::sent;
    if (message.status == Status::sending) return domain::Refusal::in_flight;
    if (is_pending(message.status) || message.status == Status::cancelled)
        return domain::Refusal::wrong_status;
    if (!live(key.type)) return domain::Refusal::type_deleted;
    const User& user = users.at(key.user);
    if (!user.reachable()) return domain::Refusal::recipient_gone;
    if (!kept_on(user, key.type, types.at(key.type), key.day)) return domain::Refusal::date_gone;
    if (sent && !options.forced) return domain::Refusal::already_sent;
    if (too_late(key, message) && !options.late) return domain::Refusal::past_deadline;
    message.status = Status::scheduled;
    message.due = std::max(now, message.instant);
    message.replayed_for = message.due;
    message.failures = 0;
    message.rescues = 0;
    message.in_doubt = message.in_doubt || sent;
    if (sent) message.forced_attempt = message.attempt;
    return std::nullopt;
}

void Ledger::rescue(bool hints_are_lost, bool park, int max_rescues) {
    for (auto& [key, message] : rows) {
        if (message.status == Status::sending && message.lease_over) {
            const bool person = park || message.rescues >= max_rescues;
            end(message, person ? Status::unknown : Status::retrying);
            if (!person) message.due = now;
            ++message.rescues;
            message.in_doubt = true;
        } else if (message.status == Status::queued && hints_are_lost) {
            message.status = message.attempt == 0 ? Status::scheduled : Status::retrying;
            message.due = now;
        }
    }
}

}  // namespace model
