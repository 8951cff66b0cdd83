#include "tests/support/model/ledger.hpp"

#include <algorithm>
#include <set>

namespace model {

namespace {

// A change plans two hours farther than any planner.
constexpr std::chrono::hours reach(28);

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
        if (owed.instant >= std::max(type.created_at, now - type.catch_up))
            rows.try_emplace({id, owed.type, owed.day}, planned(user, owed));
    }
}

void Ledger::replan(const Uuid& id) {
    const User& user = users.at(id);
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
        return;
    }
    const auto owed = owed_on(user, key.type, types.at(key.type), key.day);
    if (!owed && !message.in_doubt) {
        rows.erase(key);
        return;
    }
    // Cancelled by hand stays so; what the user's absence cancelled comes back if its time has not passed
    // before them.
    if (cancelled && (!message.by_user || owed->instant < user.changed_at)) return;
    if (!cancelled && message.version == user.version &&
        (!owed || (owed->instant == message.instant && owed->rule == message.rule)))
        return;
    if (owed) {
        message.zone = user.zone;
        message.instant = owed->instant;
        message.rule = owed->rule;
    }
    message.version = user.version;
    message.by_user = false;
    if (message.attempt == 0) {
        message.status = Status::scheduled;
        message.due = message.instant;
    } else {
        // A retry keeps its back-off.
        message.status = Status::retrying;
        message.due = std::max(message.due.value_or(now), owed ? owed->instant : Instant::min());
    }
}

Message Ledger::planned(const User& user, const Owed& owed) const {
    return {.id = {},
            .zone = user.zone,
            .instant = owed.instant,
            .rule = owed.rule,
            .due = owed.instant,
            .version = user.version};
}

std::map<Key, Message> Ledger::plannable(std::chrono::microseconds horizon) const {
    std::map<Key, Message> missing;
    for (const auto& [id, user] : users) {
        if (!user.reachable()) continue;
        for (const Owed& owed : owed_between(user, types, user.changed_at, now + horizon)) {
            const Key key{id, owed.type, owed.day};
            if (owed.instant >= types.at(owed.type).created_at && !rows.contains(key))
                missing.emplace(key, planned(user, owed));
        }
    }
    return missing;
}

void Ledger::plan(std::chrono::microseconds horizon) {
    rows.merge(plannable(horizon));
}

bool Ledger::too_late(const Key& key, const Message& message) const {
    return now > message.instant + types.at(key.type).max_lateness;
}

std::vector<Key> Ledger::dispatch(Instant until) {
    std::vector<Key> queued;
    for (auto& [key, message] : rows) {
        if (!message.waits() || *message.due > std::min(until, now)) continue;
        const auto paused_until = types.at(key.type).paused_until;
        if (too_late(key, message)) {
            end(message, message.in_doubt ? Status::unknown : Status::missed);
        } else if (paused_until && *paused_until > now) {
            message.due = paused_until;
        } else {
            end(message, Status::queued);
            queued.push_back(key);
        }
    }
    return queued;
}

std::pair<const Key, Message>* Ledger::find(const Uuid& id) {
    const auto found = std::ranges::find_if(rows, [&](const auto& row) { return row.second.id == id; });
    return found == rows.end() ? nullptr : &*found;
}

std::vector<Key> Ledger::claim(std::span<const domain::Delivery> hints, bool lease_over) {
    std::vector<Key> claimed;
    std::set<Uuid> outdated;
    for (const domain::Delivery& hint : hints) {
        auto* const row = find(hint.message_id);
        if (!row || row->second.status != Status::queued || row->second.attempt != hint.attempt) continue;
        auto& [key, message] = *row;
        const User& user = users.at(key.user);
        if (!user.reachable() || user.version != message.version) {
            outdated.insert(key.user);
            continue;
        }
        ++message.attempt;
        if (too_late(key, message)) {
            end(message, message.in_doubt ? Status::unknown : Status::missed);
        } else {
            message.status = Status::sending;
            message.lease_over = lease_over;
            claimed.push_back(key);
        }
    }
    for (const Uuid& user : outdated) replan(user);
    return claimed;
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
    const bool learnt_late = sent && message.attempt >= attempt &&
                             (message.status == Status::queued || message.status == Status::retrying ||
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
