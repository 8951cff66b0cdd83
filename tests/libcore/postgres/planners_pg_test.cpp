// Planners beside the writes of clients: whatever the order in which they meet, the ledger ends as the rules
// say.
#include <algorithm>
#include <atomic>
#include <catch2/catch.hpp>
#include <set>

#include "tests/libcore/postgres/walk.hpp"
#include "tests/support/eventually.hpp"

namespace {

const std::vector<std::string> zones{"UTC", "Asia/Tokyo", "America/New_York", "Pacific/Kiritimati",
                                     "Pacific/Niue"};
const auto start = at(2027y / 2 / 26, 6h);

/// A change as the database dated it.
struct Change {
    domain::Uuid user;
    domain::Instant at;
    domain::UserFields fields;
};

model::User as_modelled(const domain::UserFields& fields) {
    model::User user;
    user.zone = fields.timezone;
    user.opted_out = fields.opted_out;
    if (fields.birthday_date) user.occasions.push_back({"BIRTHDAY", *fields.birthday_date, false});
    if (fields.anniversary_date) user.occasions.push_back({"ANNIVERSARY", *fields.anniversary_date, false});
    return user;
}

void change_something(domain::UserFields& fields, walk::Dice& dice) {
    const domain::Date day = 1990y / 2 / std::chrono::day(static_cast<unsigned>(26 + dice.below(3)));
    switch (dice.below(5)) {
        case 0:
            fields.birthday_date = dice.one_in(4) ? std::nullopt : std::optional(day);
            break;
        case 1:
            fields.anniversary_date = day;
            break;
        case 2:
            fields.opted_out = !fields.opted_out;
            break;
        default:
            fields.timezone = dice.of(zones);
    }
}

/// A client with people of its own, who changes one after another; time goes on with each change.
class Client {
public:
    Client(Ledger& ledger, unsigned seed, int people) : pool_(ledger.database.pool(1)), dice_(seed) {
        for (int i = 0; i < people; ++i) {
            const auto id = ledger.add(Ledger::born(1990y / 2 / 27, dice_.of(zones)));
            people_.push_back(id);
            note(id);
        }
    }

    void run(int changes) {
        static constexpr postgres::Statement tick{"client_tick",
                                                  "UPDATE app_clock SET base = base + interval '7 minutes'"};
        for (int i = 0; i < changes; ++i) {
            const auto id = dice_.of(people_);
            const auto before = std::chrono::steady_clock::now();
            postgres::change_user(pool_, id,
                                  [&](domain::UserFields fields) -> domain::Result<domain::UserFields> {
                                      change_something(fields, dice_);
                                      return fields;
                                  });
            longest_ = std::max(longest_, std::chrono::steady_clock::now() - before);
            note(id);
            pool_.run(tick);
        }
    }

    const std::vector<Change>& history() const { return history_; }
    std::chrono::nanoseconds longest() const { return longest_; }

private:
    void note(const domain::Uuid& id) {
        static constexpr postgres::Statement changed_at{"client_changed_at",
                                                        "SELECT plan_changed_at FROM users WHERE id = $1"};
        history_.push_back({id, pool_.run(changed_at, id).front().get<domain::Instant>(0),
                            postgres::find_user(pool_, id)->fields});
    }

    postgres::Pool pool_;  // waits for no planner
    walk::Dice dice_;
    std::vector<domain::Uuid> people_;
    std::vector<Change> history_;
    std::chrono::nanoseconds longest_{0};
};

void replay(model::Ledger& model, const std::vector<Change>& history) {
    for (const auto& change : history) {
        model.now = change.at;
        const auto fields = as_modelled(change.fields);
        if (!model.users.contains(change.user)) {
            model.add(change.user, fields);
            continue;
        }
        const auto& known = model.users.at(change.user);
        if (known.zone == fields.zone && known.occasions == fields.occasions &&
            known.opted_out == fields.opted_out)
            continue;
        model.change(change.user, [&](model::User& user) {
            user.zone = fields.zone;
            user.occasions = fields.occasions;
            user.opted_out = fields.opted_out;
        });
    }
}

/// The rows that a planner inserted from a state of the user that had passed: a claim refuses them and
/// replans.
std::vector<domain::Uuid> users_with_stale_rows(Ledger& ledger) {
    std::vector<domain::Uuid> users;
    for (const auto row :
         ledger.rows("SELECT DISTINCT u.id FROM users u JOIN message_logs m ON m.user_id = u.id "
                     "WHERE m.plan_version <> u.plan_version AND m.status = 'SCHEDULED'"))
        users.push_back(row.get<domain::Uuid>(0));
    return users;
}

/// How the ledger differs from the model; the people of the crowd, whom the model does not know, do not
/// count.
std::vector<std::string> differences(Ledger& ledger, const model::Ledger& model) {
    std::vector<std::string> found;
    const auto real = walk::read(ledger.pool);
    for (const auto& [key, message] : model.rows) {
        const auto there = real.find(key);
        if (there == real.end())
            found.push_back("is missing: " + walk::describe(key, message));
        else if (walk::describe(key, message) != walk::describe(key, there->second))
            found.push_back("should be: " + walk::describe(key, message) +
                            "\n       is: " + walk::describe(key, there->second));
    }
    for (const auto& [key, message] : real) {
        if (model.rows.contains(key) || !model.users.contains(key.user)) continue;
        // Inserted from an older state just before the user went: never sent.
        if (message.status == model::Status::cancelled && !model.users.at(key.user).reachable()) continue;
        found.push_back("should not be: " + walk::describe(key, message));
    }
    return found;
}

}  // namespace

TEST_CASE("any number of planners among the changes of clients leave what the rules say", "[threads]") {
    const int planners = GENERATE(2, 4, 8);
    const int crowd = 1'000;
    Ledger ledger(start);
    // So many that a planner is in the middle of them when a change comes.
    std::vector<domain::UserFields> people(crowd, Ledger::born(1990y / 2 / 27, "Asia/Tokyo"));
    for (int i = 0; i < crowd; ++i)
        people[static_cast<std::size_t>(i)].email = std::to_string(i) + "@example.com";
    ledger.add_unplanned(people, domain::to_string(start));
    std::deque<Client> clients;
    for (unsigned seed = 1; seed <= 3; ++seed) clients.emplace_back(ledger, seed, 5);

    std::atomic<bool> done{false};
    std::atomic<int> planned{0};
    {
        std::vector<std::jthread> threads;
        for (int i = 0; i < planners; ++i) {
            threads.emplace_back([&, i] {
                walk::Dice dice(static_cast<unsigned>(i));
                postgres::ChunkSize as_planners_have_it;
                postgres::ChunkSize tiny(3);
                while (!done) {
                    auto units = postgres::units_due(ledger.pool, 26h);
                    dice.shuffle(units);
                    for (const auto& unit : units)
                        planned += postgres::plan_unit(ledger.pool, unit,
                                                       dice.one_in(2) ? as_planners_have_it : tiny);
                    // So that they have to look again, but for what they are in the middle of.
                    ledger.execute("DELETE FROM plan_runs WHERE planned_at IS NOT NULL");
                }
            });
        }
        {
            std::vector<std::jthread> writers;
            for (auto& client : clients) writers.emplace_back([&] { client.run(60); });
        }
        support::eventually([&] { return planned >= crowd; });
        done = true;
    }
    CHECK(planned >= crowd);

    // Beyond the reach of the last change, so that what there is depends on no order.
    ledger.execute("UPDATE app_clock SET base = base + interval '3 hours'");
    ledger.plan();
    model::Ledger model;
    for (const std::string name : {"BIRTHDAY", "ANNIVERSARY"})
        model.types[name].version =
            ledger.value<int>("SELECT version FROM message_types WHERE name = $1", name);
    std::chrono::nanoseconds longest{0};
    for (const auto& client : clients) {
        replay(model, client.history());
        longest = std::max(longest, client.longest());
    }
    model.now = ledger.value<domain::Instant>("SELECT app_now()");
    model.plan(26h);

    const auto before = walk::read(ledger.pool);
    const auto holes =
        std::ranges::count_if(model.rows, [&](const auto& row) { return !before.contains(row.first); });
    CHECK(holes == 0);
    const auto stale = users_with_stale_rows(ledger);
    postgres::replan(ledger.pool, stale);
    const auto left = differences(ledger, model);
    CAPTURE(planners, left.size());
    CHECK((left.empty() ? "none" : left.front()) == "none");
    CHECK(ledger.value<int>("SELECT count(*) FROM message_logs m JOIN users u ON u.id = m.user_id "
                            "WHERE m.message_type = 'BIRTHDAY' AND u.email ~ '^[0-9]+@'") == crowd);

    const auto deadlocks =
        ledger.value<int>("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()");
    WARN(planners << " planners: the longest change took " << longest / 1ms << " ms, " << stale.size()
                  << " users had stale rows, " << deadlocks << " deadlocks");
    CHECK(deadlocks == 0);
    CHECK(longest < 3s);  // some 100 ms alone on two cores
}

TEST_CASE("changes come through while the same users are planned, and nothing is planned wrong",
          "[threads]") {
    const int chunk_size = GENERATE(1'000, 5'000, 10'000);
    const int crowd = 20'000;
    Ledger ledger(start);
    std::vector<domain::UserFields> people(crowd, Ledger::born(1990y / 2 / 27, "Asia/Tokyo"));
    for (int i = 0; i < crowd; ++i)
        people[static_cast<std::size_t>(i)].email = std::to_string(i) + "@example.com";
    ledger.add_unplanned(people, domain::to_string(start));
    std::vector<domain::Uuid> ids;
    for (const auto row : ledger.rows("SELECT id FROM users")) ids.push_back(row.get<domain::Uuid>(0));

    std::atomic<bool> done{false};
    std::jthread planner([&] {
        ledger.plan(chunk_size);
        done = true;
    });
    auto pool = ledger.database.pool(1);
    walk::Dice dice(1);
    std::set<domain::Uuid> changed;
    std::chrono::nanoseconds longest{0};
    while (!done) {
        const auto id = dice.of(ids);
        const auto before = std::chrono::steady_clock::now();
        postgres::change_user(pool, id, [&](domain::UserFields fields) -> domain::Result<domain::UserFields> {
            fields.timezone = dice.of(zones);
            return fields;
        });
        longest = std::max(longest, std::chrono::steady_clock::now() - before);
        changed.insert(id);
    }
    planner.join();
    ledger.plan();

    WARN("chunks of " << chunk_size << ": " << changed.size() << " users changed, the longest took "
                      << longest / 1ms << " ms");
    CHECK(!changed.empty());
    CHECK(longest < 3s);  // some chunks' time, on a busy machine
    CHECK(ledger.messages().size() == crowd);
    CHECK(ledger.value<int>(
              "SELECT count(*) FROM message_logs m JOIN users u ON u.id = m.user_id "
              "WHERE m.scheduled_send_time <> civil_instant('2027-02-27', '09:00', u.timezone)") == 0);
}
