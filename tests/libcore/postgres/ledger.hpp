// A ledger for tests: a database of its own whose clock stands still, people in it, and their messages.
#pragma once

#include <chrono>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "libcore/domain/message.hpp"
#include "libcore/domain/user.hpp"
#include "libcore/postgres/claim_table.hpp"
#include "libcore/postgres/dispatch_table.hpp"
#include "libcore/postgres/plan_table.hpp"
#include "libcore/postgres/users_table.hpp"
#include "tests/support/postgres_fixture.hpp"

using namespace std::chrono_literals;

inline domain::Instant at(const domain::Date& day, std::chrono::microseconds time) {
    return std::chrono::sys_days(day) + time;
}

struct MessageRow {
    domain::Uuid id;
    domain::Uuid user;
    std::string type;
    domain::Date date;
    std::string status;
    int attempt = 0;
    int plan_version = 0;
    domain::Instant scheduled{};
    std::optional<domain::Instant> due{};
    std::string rule{};
    bool in_doubt = false;
    bool needs_attention = false;
    std::string email{};
    std::string content{};
    std::string error{};
    int failures = 0;

    domain::Delivery hint() const {
        return {.message_id = id, .delivery_date = date, .attempt = attempt, .trace = {}};
    }
};

class Ledger {
public:
    support::TestDatabase database;
    /// With the settings of the services' sessions.
    postgres::Pool pool;

    explicit Ledger(domain::Instant now = at(2027y / 2 / 27, 9h)) : pool(service_settings()) {
        set_clock(now);
    }
    /// On another server, given by a superuser's URL.
    Ledger(const std::string& server, domain::Instant now) : database(server), pool(service_settings()) {
        set_clock(now);
    }

    void set_clock(domain::Instant now, double factor = 0) {
        execute("SELECT set_clock('" + domain::to_string(now) + "', " + std::to_string(factor) + ")");
    }

    void execute(const std::string& script) { pool.lease()->execute(script); }

    /// The rows of any statement, which must be the same text for the same name.
    template <class... Args>
    postgres::Rows rows(const std::string& sql, const Args&... args) {
        return pool.run(statement(sql), args...);
    }

    template <class T, class... Args>
    T value(const std::string& sql, const Args&... args) {
        return rows(sql, args...).front().template get<T>(0);
    }

    domain::Uuid add(domain::UserFields person) {
        const auto id = value<domain::Uuid>("SELECT uuid_v7()");
        if (person.email.empty()) person.email = domain::to_string(id) + "@example.com";
        if (!postgres::insert_user(pool, id, person)) throw std::runtime_error("the user was refused");
        return id;
    }

    template <class Change>
    void change(const domain::Uuid& id, Change change_fields) {
        const auto changed = postgres::change_user(
            pool, id, [&](domain::UserFields fields) -> domain::Result<domain::UserFields> {
                change_fields(fields);
                return fields;
            });
        if (!changed || !*changed) throw std::runtime_error("the change was refused");
    }

    std::vector<MessageRow> messages(std::optional<domain::Uuid> user = {}) {
        static constexpr postgres::Statement all{"test_messages", R"(
            SELECT id, user_id, message_type, delivery_date, status, attempt, plan_version, scheduled_send_time,
                   due_at, coalesce(civil_rule, ''), in_doubt, attention_at IS NOT NULL,
                   coalesce(recipient_email, ''), coalesce(message_content, ''), coalesce(error_message, ''),
                   failures
            FROM message_logs WHERE user_id = $1 OR $1 IS NULL ORDER BY scheduled_send_time, id)"};
        std::vector<MessageRow> found;
        for (const auto row : pool.run(all, user)) {
            found.push_back({row.get<domain::Uuid>(0), row.get<domain::Uuid>(1), row.get<std::string>(2),
                             row.get<domain::Date>(3), row.get<std::string>(4), row.get<int>(5),
                             row.get<int>(6), row.get<domain::Instant>(7),
                             row.get<std::optional<domain::Instant>>(8), row.get<std::string>(9),
                             row.get<bool>(10), row.get<bool>(11), row.get<std::string>(12),
                             row.get<std::string>(13), row.get<std::string>(14), row.get<int>(15)});
        }
        return found;
    }

    /// The one message of a user.
    MessageRow message(const domain::Uuid& user) {
        const auto found = messages(user);
        if (found.size() != 1) throw std::runtime_error(std::to_string(found.size()) + " messages");
        return found.front();
    }

    std::map<std::string, int> count_by_status() {
        std::map<std::string, int> counts;
        for (const auto row : rows("SELECT status, count(*) FROM message_logs GROUP BY status"))
            counts[row.get<std::string>(0)] = row.get<int>(1);
        return counts;
    }

    int plan(int chunk_size = 10'000) {
        int planned = 0;
        for (const auto& unit : postgres::units_due(pool, 26h))
            planned += postgres::plan_unit(pool, unit, chunk_size);
        return planned;
    }

    /// Dispatches to nowhere, and gives the hints. As a scheduler does: what is outdated is replanned.
    std::vector<domain::Delivery> dispatch(int limit = 10'000) {
        std::vector<domain::Delivery> hints;
        const auto report =
            postgres::dispatch(pool, limit, [&](std::span<const domain::Delivery> deliveries) {
                hints.assign(deliveries.begin(), deliveries.end());
            });
        const std::set<domain::Uuid> users(report.outdated.begin(), report.outdated.end());
        postgres::replan(pool, std::vector(users.begin(), users.end()));
        return hints;
    }

    /// As the scheduler's replanning pass does, to its end.
    void finish_type_changes(int users_at_once = 100) {
        for (const auto& type : postgres::changed_types(pool)) {
            for (auto users = postgres::outdated_users(pool, type, users_at_once); !users.empty();
                 users = postgres::outdated_users(pool, type, users_at_once))
                postgres::replan(pool, users);
            while (type.deleted && !postgres::remove_type(pool, type.name)) {
            }
            if (!type.deleted) postgres::note_replanned(pool, type);
        }
    }

    /// As a worker does: what is outdated is replanned.
    postgres::ClaimReport claim(const std::vector<domain::Delivery>& hints,
                                const postgres::Terms& terms = {.lease = 30s}) {
        auto report = postgres::claim(pool, hints, terms);
        std::vector<domain::Uuid> users;
        for (const auto& outdated : report.outdated) users.push_back(outdated.user_id);
        postgres::replan(pool, users);
        return report;
    }

    /// Some people whose birthday message is due at the clock's time.
    std::vector<domain::Uuid> people_due(int count, const domain::Date& today = 2027y / 2 / 27) {
        std::vector<domain::Uuid> ids;
        for (int i = 0; i < count; ++i) ids.push_back(add(born(1990y / today.month() / today.day())));
        return ids;
    }

    static domain::UserFields born(const domain::Date& birthday, const std::string& zone = "UTC") {
        domain::UserFields person;
        person.first_name = "Ada";
        person.last_name = "Lovelace";
        person.timezone = zone;
        person.birthday_date = birthday;
        return person;
    }

    /// People that no trigger has planned, as if the planner alone had to find them.
    void add_unplanned(const std::vector<domain::UserFields>& people, const std::string& known_since) {
        static constexpr postgres::Statement insert{"add_unplanned", R"(
            INSERT INTO users (id, first_name, last_name, email, timezone, birthday_date, anniversary_date,
                               opted_out, plan_changed_at)
            SELECT uuid_v7(), 'Ada', 'Lovelace', email, timezone, birthday, anniversary, out, $6
            FROM unnest($1::text[], $2::text[], $3::date[], $4::date[], $5::boolean[])
                AS u(email, timezone, birthday, anniversary, out))"};
        std::vector<std::string> emails, zones;
        std::vector<std::optional<domain::Date>> birthdays, anniversaries;
        std::vector<bool> out;
        for (const auto& person : people) {
            emails.push_back(person.email);
            zones.push_back(person.timezone);
            birthdays.push_back(person.birthday_date);
            anniversaries.push_back(person.anniversary_date);
            out.push_back(person.opted_out);
        }
        execute("ALTER TABLE users DISABLE TRIGGER USER");
        pool.run(insert, emails, zones, birthdays, anniversaries, out, known_since);
        execute(
            "ALTER TABLE users ENABLE TRIGGER USER; INSERT INTO zones_in_use (timezone, since) "
            "SELECT DISTINCT timezone, timestamptz '" +
            known_since + "' FROM users ON CONFLICT DO NOTHING");
    }

private:
    /// A name of its own for each text: connections prepare statements by name.
    static postgres::Statement statement(const std::string& sql) {
        static std::deque<std::string> kept;
        kept.push_back("query_" + std::to_string(kept.size()));
        const char* name = kept.back().c_str();
        kept.push_back(sql);
        return {name, kept.back().c_str()};
    }

    postgres::PoolSettings service_settings() const {
        postgres::PoolSettings settings{.connection = database.settings(), .max = 8};
        settings.connection.session = {{"enable_seqscan", "off"}, {"jit", "off"}};
        return settings;
    }
};

/// Pages of tables and indexes that a statement touches, the functions it calls included.
inline int pages_touched(postgres::Connection& session, const std::string& sql) {
    // The session keeps what it prepared by its address.
    static std::set<std::string> texts;
    const auto& text =
        *texts.insert("EXPLAIN (ANALYZE, BUFFERS, COSTS OFF, TIMING OFF, SUMMARY OFF) " + sql).first;
    const std::string hit = "shared hit=";
    for (const auto row : session.run(postgres::Statement{"pages_touched", text.c_str()})) {
        const auto line = row.get<std::string>(0);
        if (const auto found = line.find(hit); found != std::string::npos)
            return std::stoi(line.substr(found + hit.size()));
    }
    return 0;
}
