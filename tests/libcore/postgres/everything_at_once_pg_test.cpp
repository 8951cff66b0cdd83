// Planners, dispatchers, workers, the pass over changed types, clients and somebody who edits the types, all
// at once: whatever the order in which they meet, nothing goes out by rules or to people of before, and in
// the end the ledger is what the rules say.
#include <algorithm>
#include <atomic>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <mutex>

#include "libcore/postgres/message_types_table.hpp"
#include "libcore/postgres/transaction.hpp"
#include "tests/libcore/postgres/walk.hpp"

namespace {

using domain::Uuid;

const std::vector<std::string> zones{"UTC", "Asia/Tokyo", "America/New_York", "Pacific/Kiritimati",
                                     "Pacific/Niue"};
const std::vector<std::string> type_names{"BIRTHDAY", "ANNIVERSARY", "RENEWAL"};
const auto start = at(2027y / 2 / 26, 20h);
constexpr auto horizon = 26h;

/// What was claimed, as it was then, with the least versions that it had to have.
struct Claim {
    model::Key key;
    domain::Instant instant;
    std::string rule;
    int user_version = 0;
    int type_version = 0;
    int least_user_version = 0;
    int least_type_version = 0;
    bool in_doubt = false;
};

/// What all threads tell each other, and what is compared at the end.
class Record {
public:
    void edited(const std::string& name, int version, const model::Type& type) {
        const std::lock_guard lock(mutex_);
        types[name][version] = type;
        newest_type_[name] = version;
    }
    void changed(const Uuid& id, int version, const model::User& user) {
        const std::lock_guard lock(mutex_);
        // The first of a version: dates of a type that is going go without another one.
        users[id].try_emplace(version, user);
        newest_user_[id] = version;
    }
    void claimed(const Claim& claim) {
        const std::lock_guard lock(mutex_);
        claims.push_back(claim);
    }
    void sent(const Uuid& message) {
        const std::lock_guard lock(mutex_);
        ++sends[message];
    }
    void took(std::chrono::nanoseconds time) {
        const std::lock_guard lock(mutex_);
        waits.push_back(time);
    }
    void failed(const std::string& who, const std::string& why) {
        const std::lock_guard lock(mutex_);
        failures.push_back(who + ": " + why);
    }
    std::pair<std::map<std::string, int>, std::map<Uuid, int>> newest() {
        const std::lock_guard lock(mutex_);
        return {newest_type_, newest_user_};
    }

    std::map<std::string, std::map<int, model::Type>> types;
    std::map<Uuid, std::map<int, model::User>> users;
    std::vector<Claim> claims;
    std::map<Uuid, int> sends;
    std::vector<std::chrono::nanoseconds> waits;
    std::vector<std::string> failures;

private:
    std::mutex mutex_;
    std::map<std::string, int> newest_type_;
    std::map<Uuid, int> newest_user_;
};

/// The queue: first come, first served, and now and then twice.
class Queue {
public:
    void put(std::span<const domain::Delivery> hints) {
        const std::lock_guard lock(mutex_);
        hints_.insert(hints_.end(), hints.begin(), hints.end());
    }
    std::vector<domain::Delivery> take(std::size_t count) {
        const std::lock_guard lock(mutex_);
        std::vector<domain::Delivery> taken;
        for (; count > 0 && !hints_.empty(); --count) {
            taken.push_back(hints_.front());
            hints_.pop_front();
        }
        return taken;
    }

private:
    std::mutex mutex_;
    std::deque<domain::Delivery> hints_;
};

model::Type as_modelled(const domain::MessageTypeFields& fields) {
    model::Type type;
    type.send_at = std::chrono::duration_cast<std::chrono::seconds>(fields.send_at.since_midnight);
    type.leap_day = fields.leap_day == "feb28"  ? model::LeapDay::feb28
                    : fields.leap_day == "mar1" ? model::LeapDay::mar1
                                                : model::LeapDay::skip;
    type.spread = fields.spread;
    type.catch_up = fields.catch_up;
    type.max_lateness = fields.max_lateness;
    return type;
}

template <class Work>
void timed(Record& record, Work work) {
    const auto before = std::chrono::steady_clock::now();
    work();
    record.took(std::chrono::steady_clock::now() - before);
}

/// A client with people of its own, as the API changes them; time goes on with each change.
class Client {
public:
    Client(Ledger& ledger, Record& record, unsigned seed)
        : pool_(ledger.database.pool(1)), record_(record), dice_(seed) {
        static constexpr postgres::Statement share{"everything_share",
                                                   "SELECT spread_offset($1, '1000000 hours')"};
        for (int i = 0; i < 20; ++i) {
            model::User user;
            user.zone = dice_.of(zones);
            const auto date = some_date();
            user.occasions.push_back({"BIRTHDAY", date, false});
            const auto id = ledger.add(Ledger::born(date, user.zone));
            const auto offset = pool_.run(share, id).front().get<std::chrono::microseconds>(0);
            user.share = static_cast<double>(offset.count()) / 3.6e15;
            people_.emplace_back(id, user);
            note(people_.back());
        }
    }

    void run_once() {
        static constexpr postgres::Statement tick{"everything_tick",
                                                  "UPDATE app_clock SET base = base + interval '2 minutes'"};
        auto& person = people_[static_cast<std::size_t>(dice_.below(static_cast<int>(people_.size())))];
        timed(record_, [&] {
            switch (dice_.below(6)) {
                case 0:
                    return add_renewal(person);
                case 1:
                    return remove_renewal(person);
                case 2:
                    return move_some(person);
                default:
                    return change_fields(person);
            }
        });
        note(person);
        pool_.run(tick);
    }

private:
    using Person = std::pair<Uuid, model::User>;

    domain::Date some_date() {
        return 2000y / 2 / std::chrono::day(static_cast<unsigned>(26 + dice_.below(4)));
    }

    static std::optional<domain::Date> date_of(const model::User& user, const std::string& type) {
        for (const auto& occasion : user.occasions)
            if (occasion.type == type) return occasion.date;
        return std::nullopt;
    }

    static void set_date(model::User& user, const std::string& type,
                         const std::optional<domain::Date>& date) {
        std::erase_if(user.occasions, [&](const auto& occasion) { return occasion.type == type; });
        if (date) user.occasions.push_back({type, *date, false});
    }

    void change_fields(Person& person) {
        auto& [id, user] = person;
        switch (dice_.below(5)) {
            case 0:
                set_date(user, "BIRTHDAY", dice_.one_in(4) ? std::nullopt : std::optional(some_date()));
                break;
            case 1:
                set_date(user, "ANNIVERSARY", some_date());
                break;
            case 2:
                user.opted_out = !user.opted_out;
                break;
            default:
                user.zone = dice_.of(zones);
        }
        postgres::change_user(pool_, id,
                              [&](domain::UserFields fields) -> domain::Result<domain::UserFields> {
                                  fields.timezone = user.zone;
                                  fields.opted_out = user.opted_out;
                                  fields.birthday_date = date_of(user, "BIRTHDAY");
                                  fields.anniversary_date = date_of(user, "ANNIVERSARY");
                                  return fields;
                              });
    }

    // Several at once; whoever does so locks them in order.
    void move_some(Person& last) {
        static constexpr postgres::Statement lock{
            "everything_lock", "SELECT FROM users WHERE id = ANY ($1) ORDER BY id FOR NO KEY UPDATE"};
        static constexpr postgres::Statement move{"everything_move",
                                                  "UPDATE users SET timezone = $2 WHERE id = ANY ($1)"};
        const auto zone = dice_.of(zones);
        std::vector<Person*> moved{&last};
        for (auto& person : people_)
            if (&person != &last && dice_.one_in(4)) moved.push_back(&person);
        std::vector<Uuid> ids;
        for (auto* person : moved) {
            ids.push_back(person->first);
            person->second.zone = zone;
        }
        postgres::transact(pool_, [&](postgres::Transaction& transaction) {
            transaction.run(lock, ids);
            transaction.run(move, ids, zone);
        });
        for (const auto* person : moved) note(*person);
    }

    // The type may be going at this moment, and its dates with it.
    void add_renewal(Person& person) {
        static constexpr postgres::Statement insert{
            "everything_add", "INSERT INTO user_occasions (user_id, message_type, date) VALUES ($1, $2, $3)"};
        auto& [id, user] = person;
        const auto date = some_date();
        try {
            postgres::transact(pool_, [&, id = id](postgres::Transaction& transaction) {
                transaction.run(insert, id, "RENEWAL", date);
            });
        } catch (const postgres::DatabaseError& error) {
            if (!error.is_foreign_key_violation() && !error.is_unique_violation()) throw;
            return;
        }
        user.occasions.push_back({"RENEWAL", date, false});
    }

    void remove_renewal(Person& person) {
        static constexpr postgres::Statement remove{
            "everything_remove", "DELETE FROM user_occasions WHERE user_id = $1 AND message_type = $2"};
        auto& [id, user] = person;
        set_date(user, "RENEWAL", std::nullopt);
        postgres::transact(pool_, [&, id = id](postgres::Transaction& transaction) {
            transaction.run(remove, id, "RENEWAL");
        });
    }

    void note(const Person& person) {
        static constexpr postgres::Statement version{
            "everything_version", "SELECT plan_version, plan_changed_at FROM users WHERE id = $1"};
        const auto rows = pool_.run(version, person.first);
        model::User user = person.second;
        user.version = rows.front().get<int>(0);
        user.changed_at = rows.front().get<domain::Instant>(1);
        record_.changed(person.first, user.version, user);
    }

    postgres::Pool pool_;
    Record& record_;
    walk::Dice dice_;
    std::vector<Person> people_;
};

/// Edits, pauses, deletes and makes types, one after another.
class Editor {
public:
    Editor(Ledger& ledger, Record& record) : pool_(ledger.database.pool(1)), record_(record), dice_(7) {
        make();
        for (const auto& name : type_names) note(name);
    }

    void run_once() {
        const auto name = dice_.of(type_names);
        if (name == "RENEWAL" && dice_.one_in(4)) {
            bool gone = false;
            timed(record_, [&] { gone = postgres::delete_message_type(pool_, "test", name); });
            if (!gone && !make()) return;
        } else {
            timed(record_, [&] { edit(name); });
        }
        note(name);
    }

private:
    void edit(const std::string& name) {
        postgres::change_message_type(
            pool_, "test", name,
            [&](domain::MessageTypeFields fields,
                domain::Instant now) -> domain::Result<domain::MessageTypeFields> {
                switch (dice_.below(5)) {
                    case 0:
                        fields.leap_day = dice_.of(std::vector<std::string>{"feb28", "mar1", "skip"});
                        break;
                    case 1:
                        fields.spread = dice_.of(std::vector{0h, 1h});
                        break;
                    case 2:
                        fields.paused_until = now + std::chrono::minutes(dice_.below(20));
                        break;
                    case 3:
                        fields.paused_until.reset();
                        break;
                    default:
                        fields.send_at = domain::TimeOfDay(std::chrono::hours(dice_.below(24)));
                }
                return fields;
            });
    }

    bool make() {
        return bool(postgres::insert_message_type(pool_, "test", "RENEWAL", [](domain::Instant) {
            return domain::Result<domain::MessageTypeFields>(
                domain::MessageTypeFields{.text = "{first_name}"});
        }));
    }

    void note(const std::string& name) {
        static constexpr postgres::Statement version{"everything_type_version", R"(
            SELECT version, deleted_at IS NOT NULL, rules_changed_at, created_at FROM message_types
            WHERE name = $1)"};
        const auto rows = pool_.run(version, name);
        if (rows.empty()) return;
        const auto found = postgres::find_message_type(pool_, name);
        model::Type type = found ? as_modelled(found->fields) : model::Type{};
        type.version = rows.front().get<int>(0);
        type.deleted = rows.front().get<bool>(1);
        type.rules_changed_at = rows.front().get<domain::Instant>(2);
        type.created_at = rows.front().get<domain::Instant>(3);
        record_.edited(name, type.version, type);
    }

    postgres::Pool pool_;
    Record& record_;
    walk::Dice dice_;
};

void dispatch(Ledger& ledger, Queue& queue) {
    const auto report = postgres::dispatch(
        ledger.pool, 20, [&](std::span<const domain::Delivery> hints) { queue.put(hints); });
    const std::set<Uuid> users(report.outdated.begin(), report.outdated.end());
    postgres::replan(ledger.pool, std::vector(users.begin(), users.end()));
}

domain::Outcome some_outcome(const postgres::Claimed& claimed, walk::Dice& dice) {
    domain::Outcome outcome{.failures = claimed.failures, .in_doubt = claimed.in_doubt};
    outcome.ending = dice.one_in(3) ? domain::Ending::retrying : domain::Ending::sent;
    if (outcome.ending == domain::Ending::retrying) {
        outcome.in_doubt = outcome.in_doubt || dice.one_in(2);
        ++outcome.failures;
        outcome.delay = std::chrono::seconds(dice.below(300));
    }
    return outcome;
}

/// Claims some hints, and records what came of them; false if there were none.
bool work(Ledger& ledger, Queue& queue, Record& record, walk::Dice& dice) {
    static constexpr postgres::Statement look{"everything_look", R"(
        SELECT user_id, message_type, delivery_date, scheduled_send_time, coalesce(civil_rule, ''), plan_version,
               type_version
        FROM message_logs WHERE id = $1)"};
    const auto hints = queue.take(8);
    if (hints.empty()) return false;
    const auto [newest_type, newest_user] = record.newest();
    const auto report = ledger.claim(hints);
    queue.put(report.blocked);
    for (const auto& claimed : report.claimed) {
        const auto rows = ledger.pool.run(look, claimed.message_id);
        const auto row = rows.front();
        const model::Key key{row.get<Uuid>(0), row.get<std::string>(1), row.get<domain::Date>(2)};
        const auto type = newest_type.find(key.type);
        const auto user = newest_user.find(key.user);
        record.claimed({.key = key,
                        .instant = row.get<domain::Instant>(3),
                        .rule = row.get<std::string>(4),
                        .user_version = row.get<int>(5),
                        .type_version = row.get<int>(6),
                        .least_user_version = user == newest_user.end() ? 0 : user->second,
                        .least_type_version = type == newest_type.end() ? 0 : type->second,
                        .in_doubt = claimed.in_doubt});
        const auto outcome = some_outcome(claimed, dice);
        const postgres::Attempted attempted{.message_id = claimed.message_id,
                                            .delivery_date = claimed.delivery_date,
                                            .attempt = claimed.attempt,
                                            .outcome = outcome,
                                            .http_status = 200,
                                            .body = "",
                                            .error = "",
                                            .started_at = start,
                                            .finished_at = start};
        if (outcome.ending == domain::Ending::sent) record.sent(claimed.message_id);
        postgres::record_outcomes(ledger.pool, std::span(&attempted, 1));
    }
    if (dice.one_in(4)) queue.put(hints);  // redelivered
    return true;
}

std::string describe(const Claim& claim) {
    return domain::to_string(claim.key.user) + " " + claim.key.type + " " + domain::to_string(claim.key.day) +
           " at " + domain::to_string(claim.instant) + " for version " + std::to_string(claim.user_version) +
           " (least " + std::to_string(claim.least_user_version) + ") of the user and " +
           std::to_string(claim.type_version) + " (least " + std::to_string(claim.least_type_version) +
           ") of the type";
}

/// What was claimed though it should not have been, as far as it can be told.
std::vector<std::string> wrong_claims(const Record& record) {
    std::vector<std::string> found;
    for (const Claim& claim : record.claims) {
        if (claim.user_version < claim.least_user_version || claim.type_version < claim.least_type_version) {
            found.push_back("is outdated: " + describe(claim));
            continue;
        }
        const auto& users = record.users.at(claim.key.user);
        const auto& types = record.types.at(claim.key.type);
        const auto user = users.find(claim.user_version);
        const auto type = types.find(claim.type_version);
        if (user == users.end() || type == types.end()) {
            found.push_back("is for nobody's version: " + describe(claim));
            continue;
        }
        const auto owed = model::owed_on(user->second, claim.key.type, type->second, claim.key.day);
        // One in doubt stays, whatever its user changes.
        const bool right = owed ? owed->instant == claim.instant && owed->rule == claim.rule : claim.in_doubt;
        if (!right) {
            found.push_back("is not what the rules say, " +
                            (owed ? domain::to_string(owed->instant) + " " + owed->rule : "none") + ": " +
                            describe(claim) + " " + claim.rule);
        }
    }
    return found;
}

/// At rest: what waits is as its user and its type are, and nothing is missing of what was known in time.
std::vector<std::string> differences(Ledger& ledger, const std::map<Uuid, model::User>& users,
                                     const std::map<std::string, model::Type>& types) {
    std::vector<std::string> found;
    const auto real = walk::read(ledger.pool);
    for (const auto& [key, message] : real) {
        const auto& user = users.at(key.user);
        const auto type = types.find(key.type);
        if (message.status == model::Status::cancelled && user.reachable() &&
            message.instant >= user.changed_at)
            found.push_back("should be back: " + walk::describe(key, message));
        if (message.status == model::Status::queued || message.status == model::Status::sending)
            found.push_back("is left in flight: " + walk::describe(key, message));
        if (!message.waits()) continue;
        const auto owed =
            type == types.end() ? std::nullopt : model::owed_on(user, key.type, type->second, key.day);
        if (!owed || !user.reachable()) {
            if (!message.in_doubt) found.push_back("should not be: " + walk::describe(key, message));
            continue;
        }
        if (message.version != user.version || message.type_version != type->second.version ||
            message.instant != owed->instant || message.rule != owed->rule)
            found.push_back("should be at " + domain::to_string(owed->instant) + ": " +
                            walk::describe(key, message));
    }
    const auto now = ledger.value<domain::Instant>("SELECT app_now()");
    for (const auto& [id, user] : users) {
        if (!user.reachable()) continue;
        for (const auto& owed : model::owed_between(user, types, user.changed_at, now + horizon)) {
            const auto& type = types.at(owed.type);
            if (owed.instant >= std::max(type.rules_changed_at, type.created_at) &&
                !real.contains({id, owed.type, owed.day}))
                found.push_back("is missing: " + domain::to_string(id) + " " + owed.type + " " +
                                domain::to_string(owed.day) + " at " + domain::to_string(owed.instant));
        }
    }
    return found;
}

std::string first_of(const std::vector<std::string>& all) {
    return all.empty() ? "none" : all.front() + " (" + std::to_string(all.size()) + ")";
}

}  // namespace

TEST_CASE("edits of types among planners, dispatchers, workers and clients leave what the rules say",
          "[threads]") {
    const auto seconds = std::getenv("MODEL_WALKS") ? 15s : 3s;
    Ledger ledger(start);
    Record record;
    Queue queue;
    Editor editor(ledger, record);
    std::deque<Client> clients;
    for (unsigned seed = 1; seed <= 3; ++seed) clients.emplace_back(ledger, record, seed);

    const auto until = std::chrono::steady_clock::now() + seconds;
    const auto ends = [&] { return std::chrono::steady_clock::now() > until; };
    std::atomic<int> removals_refused{0};
    {
        std::vector<std::jthread> threads;
        const auto start_thread = [&](const std::string& who, auto work_once) {
            threads.emplace_back([&record, &ends, who, work_once]() mutable {
                try {
                    while (!ends()) work_once();
                } catch (const std::exception& error) {
                    record.failed(who, error.what());
                }
            });
        };
        for (const int chunk_size : {2, 10'000}) {
            start_thread("planner", [&, chunk_size] {
                for (const auto& unit : postgres::units_due(ledger.pool, horizon))
                    postgres::plan_unit(ledger.pool, unit, chunk_size);
            });
            start_thread("dispatcher", [&] { dispatch(ledger, queue); });
            start_thread("worker", [&, dice = walk::Dice(static_cast<unsigned>(chunk_size))]() mutable {
                work(ledger, queue, record, dice);
            });
        }
        start_thread("pass", [&] {
            try {
                ledger.finish_type_changes(3);
            } catch (const postgres::DatabaseError& error) {
                // A date came in just before the type was deleted: the next round removes it.
                if (!error.is_foreign_key_violation()) throw;
                ++removals_refused;
            }
        });
        for (auto& client : clients) start_thread("client", [&] { client.run_once(); });
        start_thread("editor", [&] { editor.run_once(); });
    }
    CHECK(first_of(record.failures) == "none");

    // Beyond the reach of the last change, so that what there is depends on no order.
    ledger.execute("UPDATE app_clock SET base = base + interval '3 hours'");
    walk::Dice dice(1);
    while (work(ledger, queue, record, dice)) {
    }
    ledger.plan();
    ledger.finish_type_changes();
    const auto deadlocks =
        ledger.value<int>("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()");

    std::map<Uuid, model::User> users;
    for (const auto& [id, versions] : record.users) users[id] = versions.rbegin()->second;
    for (auto& [id, user] : users)
        std::erase_if(user.occasions, [](const auto& occasion) { return occasion.type == "RENEWAL"; });
    for (const auto row :
         ledger.rows("SELECT user_id, message_type, date FROM user_occasions WHERE message_type = 'RENEWAL'"))
        users.at(row.get<Uuid>(0))
            .occasions.push_back({row.get<std::string>(1), row.get<domain::Date>(2), false});
    std::map<std::string, model::Type> types;
    for (const auto& [name, versions] : record.types)
        if (!versions.rbegin()->second.deleted) types[name] = versions.rbegin()->second;

    // A planner may have used a state of the user that had passed: a claim refuses that and replans.
    std::set<Uuid> stale;
    for (const auto& [key, message] : walk::read(ledger.pool))
        if (message.waits() && message.version != users.at(key.user).version) stale.insert(key.user);
    postgres::replan(ledger.pool, std::vector(stale.begin(), stale.end()));

    CHECK(first_of(wrong_claims(record)) == "none");
    CHECK(first_of(differences(ledger, users, types)) == "none");
    CHECK(std::ranges::all_of(record.sends, [](const auto& message) { return message.second == 1; }));
    std::ranges::sort(record.waits);
    REQUIRE_FALSE(record.waits.empty());
    const auto median = record.waits[record.waits.size() / 2] / 1ms;
    const auto p99 = record.waits[record.waits.size() * 99 / 100] / 1ms;
    std::size_t edits = 0;
    for (const auto& [name, versions] : record.types) edits += versions.size();
    WARN(record.waits.size() << " changes, median " << median << " ms, p99 " << p99 << " ms, longest "
                             << record.waits.back() / 1ms << " ms; " << edits << " versions of types, "
                             << record.claims.size() << " claims, " << stale.size()
                             << " users with stale rows, " << deadlocks << " deadlocks, " << removals_refused
                             << " removals put off");
    CHECK(record.claims.size() > 0);
    CHECK(edits > 5);
    CHECK(deadlocks == 0);
}
