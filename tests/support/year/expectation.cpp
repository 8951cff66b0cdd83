#include "tests/support/year/expectation.hpp"

#include <algorithm>

#include "tests/support/year/people.hpp"

namespace year {

namespace {

using namespace std::chrono_literals;
using domain::Status;

constexpr auto horizon = 26h;
// Less than between any two steps: whatever waits for another try is due at the next.
constexpr auto retry_delay = 2s;

bool waits(const model::Message& message) {
    return message.waits() || message.status == Status::queued || message.status == Status::sending;
}

std::string filled(const std::string& text, const std::map<std::string, std::string>& values) {
    std::string result;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto end = text[i] == '{' ? text.find('}', i) : std::string::npos;
        if (end == std::string::npos) {
            result += text[i];
        } else {
            result += values.at(text.substr(i + 1, end - i - 1));
            i = end;
        }
    }
    return result;
}

domain::Date local_date(const std::string& zone, Instant now) {
    thread_local std::map<std::string, oracle::Zone> zones;
    const auto wall = zones.try_emplace(zone, zone).first->second.wall_time_at(now);
    return domain::Date(
        std::chrono::sys_days(std::chrono::floor<std::chrono::days>(wall.time_since_epoch())));
}

}  // namespace

Expectation::Expectation(const World& world, const std::vector<Step>& steps)
    : world_(world), steps_(steps), changes_(world.ids.size()) {
    for (const MessageType& type : world.types) types_[type.name] = type.rules;
    for (const Change& change : world.changes) changes_[change.person].push_back(&change);
    for (const Outage& outage : world.outages)
        if (outage.fault == Fault::type_pause) type_pauses_.push_back(&outage);
    Instant until = Instant::min();
    for (const Step& step : steps) {
        if (step.planned) until = step.at + horizon;
        planned_until_.push_back(until);
    }
}

std::map<Key, Expected> Expectation::of(std::size_t person) {
    begin(person);
    for (std::size_t i = 0; i < steps_.size(); i = next(i)) live(steps_[i]);

    std::map<Key, Expected> all;
    for (const auto& [key, message] : ledger_.rows) {
        const Attempts& attempts = attempts_[key];
        const Instant sent = attempts.sent.value_or(Instant{});
        all[{key.type, key.day}] = {.status = message.status,
                                    .instant = message.instant,
                                    .zone = message.zone,
                                    .earliest = attempts.first_doubt.value_or(sent),
                                    .latest = sent,
                                    .missed_at = attempts.missed,
                                    .may_come_twice = attempts.first_doubt || attempts.killed,
                                    .wordings = attempts.wordings};
    }
    return all;
}

void Expectation::begin(std::size_t person) {
    id_ = world_.ids[person];
    ledger_ = {};
    ledger_.types = types_;
    hints_.clear();
    attempts_.clear();
    to_come_ = &changes_[person];
    for (const MessageType& type : world_.types) texts_[type.name] = &type;
    change_ = type_pause_ = edit_ = 0;
    if (person < world_.people.size()) {
        present_ = world_.people[person];
        ledger_.now = world_.begin;
        ledger_.add(id_, as_user(present_, id_));
    }
}

/// The next step at which anything of this person may change.
std::size_t Expectation::next(std::size_t step) const {
    if (std::ranges::any_of(ledger_.rows, [](const auto& row) { return waits(row.second); })) return step + 1;
    Instant wanted = Instant::max();
    if (change_ < to_come_->size()) wanted = (*to_come_)[change_]->at;
    if (edit_ < world_.edits.size()) wanted = std::min(wanted, world_.edits[edit_].at);
    if (const auto user = ledger_.users.find(id_); user != ledger_.users.end() && user->second.reachable()) {
        const Instant planned = planned_until_[step];
        for (const auto& owed :
             owed_between(user->second, ledger_.types, user->second.changed_at, world_.end + horizon))
            if (owed.civil >= planned) wanted = std::min(wanted, owed.civil - horizon);
    }
    const auto found = std::upper_bound(steps_.begin() + static_cast<std::ptrdiff_t>(step) + 1, steps_.end(),
                                        wanted, [](Instant at, const Step& s) { return at <= s.at; });
    return static_cast<std::size_t>(found - steps_.begin());
}

void Expectation::live(const Step& step) {
    ledger_.now = step.at;
    for (; type_pause_ < type_pauses_.size() && type_pauses_[type_pause_]->from <= step.at; ++type_pause_)
        ledger_.types.at(type_pauses_[type_pause_]->type).paused_until = type_pauses_[type_pause_]->to;
    while (change_ < to_come_->size() && (*to_come_)[change_]->at <= step.at) change(*(*to_come_)[change_++]);
    if (step.planned) plan();
    while (edit_ < world_.edits.size() && world_.edits[edit_].at <= step.at) edit(world_.edits[edit_++]);
    work(step);
    for (const auto& [key, message] : ledger_.rows)
        if (message.status == Status::missed && !attempts_[key].missed) attempts_[key].missed = step.at;
}

/// What planners that have finished have made. The model's own go unit by unit: too slow for one person at a
/// time.
void Expectation::plan() {
    const auto found = ledger_.users.find(id_);
    if (found == ledger_.users.end() || !found->second.reachable()) return;
    const model::User& user = found->second;
    for (const auto& owed : owed_between(user, ledger_.types, user.changed_at, ledger_.now + horizon)) {
        const auto& type = ledger_.types.at(owed.type);
        if (owed.instant < type.created_at) continue;
        model::Message message{
            .id = {}, .zone = user.zone, .instant = owed.instant, .rule = owed.rule, .due = owed.instant};
        message.version = user.version;
        message.type_version = type.version;
        ledger_.rows.try_emplace({id_, owed.type, owed.day}, message);
    }
}

/// What waits moves; what the rules of before left out is planned from now on only.
void Expectation::edit(const Edit& edit) {
    model::Type& rules = ledger_.types.at(edit.type.name);
    const model::Type before = rules;
    rules = edit.type.rules;
    rules.paused_until = before.paused_until;
    rules.version = before.version;
    rules.created_at = edit.at;
    texts_[edit.type.name] = &edit.type;
    if (ledger_.users.contains(id_)) ledger_.replan(id_);
    plan();
}

void Expectation::change(const Change& change) {
    present_ = change.after;
    const model::User after = as_user(present_, id_);
    if (change.kind == Change::Kind::added) {
        ledger_.add(id_, after);
        return;
    }
    const model::User& before = ledger_.users.at(id_);
    const auto same = [](const model::User& one, const model::User& other) {
        return one.zone == other.zone && one.occasions == other.occasions &&
               one.opted_out == other.opted_out && one.deleted == other.deleted;
    };
    if (same(before, after)) return;  // a name, an address
    ledger_.change(id_, [&](model::User& user) {
        user.zone = after.zone;
        user.occasions = after.occasions;
        user.opted_out = after.opted_out;
        user.deleted = after.deleted;
    });
}

void Expectation::work(const Step& step) {
    for (bool moved = true; moved;) {
        moved = false;
        if (step.dispatching && !step.paused) {
            for (const auto& key : ledger_.dispatch(step.at).queued) {
                auto& message = ledger_.rows.at(key);
                message.id.emplace().bytes[0] = ++next_id_;
                hints_.push_back({.message_id = *message.id,
                                  .delivery_date = key.day,
                                  .attempt = message.attempt,
                                  .trace = {}});
                moved = true;
            }
        }
        if (!step.working || hints_.empty()) return;
        const auto hints = std::exchange(hints_, {});
        if (step.paused) {
            ledger_.give_back_hints(hints, 0us);
            return;
        }
        const auto taken = ledger_.claim(hints, false);
        for (const auto& key : taken.claimed) deliver(step, key);
        if (taken.outdated.contains(id_)) ledger_.replan(id_);
    }
}

void Expectation::deliver(const Step& step, const model::Key& key) {
    Attempts& attempts = attempts_[key];
    const Wording now = wording(key, step.at);
    if (std::ranges::find(attempts.wordings, now) == attempts.wordings.end())
        attempts.wordings.push_back(now);
    domain::Outcome outcome;
    if (step.provider == Provider::away) {
        outcome = {.ending = domain::Ending::retrying, .delay = retry_delay};
    } else if (now.email.find(refused_address) != std::string::npos) {
        outcome.ending = domain::Ending::failed;
    } else if (step.provider == Provider::doubtful) {
        if (!attempts.first_doubt) attempts.first_doubt = step.at;
        outcome = {.ending = domain::Ending::retrying, .delay = retry_delay};
    } else {
        attempts.sent = step.at;
    }
    attempts.killed = attempts.killed || step.killed;
    const auto& message = ledger_.rows.at(key);
    ledger_.record(*message.id, message.attempt, outcome);
}

Wording Expectation::wording(const model::Key& key, Instant now) const {
    const MessageType& type = *texts_.at(key.type);
    const auto& message = ledger_.rows.at(key);
    const bool late = local_date(message.zone, now) > key.day && !type.late_text.empty();
    std::optional<domain::Date> kept;
    for (const auto& occasion : ledger_.users.at(id_).occasions) {
        if (occasion.type != key.type) continue;
        const auto day = kept_in(key.day.year(), occasion, ledger_.types.at(key.type).leap_day);
        if (day && day->day == key.day && (!kept || occasion.date < *kept)) kept = occasion.date;
    }
    const int years = kept ? static_cast<int>(key.day.year()) - static_cast<int>(kept->year()) : 0;
    const auto& fields = present_.fields;
    return {fields.email, filled(late ? type.late_text : type.text,
                                 {{"first_name", fields.first_name},
                                  {"last_name", fields.last_name},
                                  {"full_name", fields.first_name + " " + fields.last_name},
                                  {"years", std::to_string(years) + (years == 1 ? " year" : " years")},
                                  {"date", domain::to_string(key.day)}})};
}

}  // namespace year
