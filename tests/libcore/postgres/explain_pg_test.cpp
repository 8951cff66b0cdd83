#include "libcore/postgres/explain_table.hpp"

#include <catch2/catch.hpp>

#include "libcore/postgres/occasions_table.hpp"
#include "libcore/postgres/pause_table.hpp"
#include "libcore/postgres/record_table.hpp"
#include "tests/libcore/postgres/ledger.hpp"

namespace {

const auto nine = at(2027y / 2 / 27, 9h);

struct Explained : Ledger {
    explicit Explained(domain::Instant now = nine - 24h) : Ledger(now) {}

    /// Why the user got this day's message or has none.
    domain::Explanation day(const domain::Uuid& user, const domain::Date& date,
                            const std::string& type = "BIRTHDAY") {
        const auto history = postgres::day_history(pool, user, type, date);
        if (!history) throw std::runtime_error("no such user");
        return history->message ? domain::explain(*history->message) : domain::explain(history->facts);
    }

    domain::MessageHistory history(const domain::Uuid& user) {
        return postgres::message_history(pool, message(user).id).value();
    }

    domain::Explanation why(const domain::Uuid& user) { return domain::explain(history(user)); }

    std::string code(const domain::Uuid& user, const domain::Date& date = 2027y / 2 / 27) {
        return day(user, date).code;
    }

    /// Everything that is due is claimed and ends like this.
    void end_with(domain::Outcome outcome, int http_status = 200, const std::string& error = {}) {
        std::vector<postgres::Attempted> attempts;
        for (const auto& claimed : claim(dispatch()).claimed) {
            attempts.push_back({.message_id = claimed.message_id,
                                .delivery_date = claimed.delivery_date,
                                .attempt = claimed.attempt,
                                .outcome = outcome,
                                .http_status = http_status,
                                .body = "said",
                                .error = error,
                                .started_at = now(),
                                .finished_at = now()});
        }
        postgres::record_outcomes(pool, attempts);
    }

    /// Real time, as workers tell it.
    domain::Instant now() { return value<domain::Instant>("SELECT clock_timestamp()"); }
};

template <class T>
std::optional<T> fact(const domain::Explanation& explanation, const std::string& name) {
    for (const auto& one : explanation.facts)
        if (one.name == name) return std::get<T>(one.value);
    return std::nullopt;
}

std::vector<std::string> events(const domain::MessageHistory& history) {
    std::vector<std::string> names;
    for (const auto& event : domain::timeline(history)) names.push_back(event.event);
    return names;
}

using Names = std::vector<std::string>;

}  // namespace

TEST_CASE("a message is explained in every state it goes through") {
    Explained ledger;
    const auto user = ledger.add(Ledger::born(1990y / 2 / 27));
    CHECK(ledger.why(user).code == "waiting");
    CHECK(ledger.code(user) == "waiting");

    ledger.set_clock(nine);
    CHECK(ledger.why(user).code == "waiting_dispatch");
    const auto hints = ledger.dispatch();
    CHECK(ledger.why(user).code == "in_queue");
    REQUIRE(ledger.claim(hints).claimed.size() == 1);
    CHECK(ledger.why(user).code == "in_flight");
    CHECK(fact<domain::Instant>(ledger.why(user), "leaseUntil") == nine);
    CHECK(events(ledger.history(user)) == Names{"planned", "due", "claimed"});
}

TEST_CASE("an end is explained by what the provider answered") {
    using domain::Ending;
    struct Row {
        domain::Outcome outcome;
        int http_status;
        std::string code;
        std::string last_event;
    };
    const auto row = GENERATE(values<Row>({
        {{.ending = Ending::sent}, 200, "sent", "sent"},
        {{.ending = Ending::retrying, .failures = 1, .delay = 2s}, 500, "waiting_retry", "attempt"},
        {{.ending = Ending::failed, .failures = 1}, 422, "failed", "failed"},
        {{.ending = Ending::unknown, .in_doubt = true}, 504, "in_doubt", "unknown"},
        {{.ending = Ending::suppressed}, 0, "suppressed", "cancelled"},
    }));
    Explained ledger(nine);
    const auto user = ledger.people_due(1).front();
    ledger.end_with(row.outcome, row.http_status,
                    row.code == "suppressed" ? "suppressed: not listed" : "refused");
    const auto why = ledger.why(user);
    CAPTURE(why.text);
    CHECK(why.code == row.code);
    CHECK(events(ledger.history(user)).back() == row.last_event);
    CHECK(ledger.code(user) == row.code);
    if (row.code == "failed") CHECK(fact<std::string>(why, "responseBody") == "said");
}

TEST_CASE("a message waits while deliveries are paused") {
    Explained ledger(nine - 1h);
    const auto user = ledger.people_due(1).front();
    REQUIRE(postgres::pause_deliveries(ledger.pool, "ops", "wrong text", {}));
    CHECK(fact<std::string>(ledger.why(user), "paused") == "everything");
    ledger.set_clock(nine);
    CHECK(ledger.why(user).code == "waiting_paused");
    ledger.set_clock(nine + 1h);
    REQUIRE(postgres::resume_deliveries(ledger.pool, "ops", {}));
    CHECK(ledger.why(user).code == "waiting_dispatch");
}

TEST_CASE("what was missed names the pauses that are in the audit log") {
    Explained ledger(nine - 1h);
    const auto user = ledger.people_due(1).front();
    // On a clock that runs: the audit log goes by real time, and all of it is one instant of a clock that
    // stands.
    ledger.set_clock(nine + 49h, 1);
    ledger.execute(
        "INSERT INTO audit_log (at, actor, action, subject, detail) "
        "SELECT started_at - ago, actor, action, 'deliveries', detail FROM app_clock, (VALUES "
        "(interval '50 hours', 'ops', 'deliveries paused', jsonb '{\"reason\": \"wrong text\"}'), "
        "(interval '1 hour', 'lead', 'deliveries resumed', '{}')) AS words (ago, actor, action, detail)");
    CHECK(ledger.dispatch().empty());
    const auto why = ledger.why(user);
    CAPTURE(why.text);
    CHECK(why.code == "missed");
    CHECK(fact<std::int64_t>(why, "pausedSeconds") == 48 * 3600);
    CHECK(why.text.find("All deliveries were paused by ops from 2027-02-27T08:00:00Z to 2027-03-01T09:00:00Z "
                        "(wrong text).") != std::string::npos);
    CHECK(events(ledger.history(user)) == Names{"planned", "deliveries_paused", "due", "missed"});
}

TEST_CASE("what a change moved into the past is late by that change") {
    Explained ledger(nine - 1h);
    const auto user = ledger.add(Ledger::born(1990y / 2 / 27, "America/New_York"));
    const auto other = ledger.people_due(1).front();
    ledger.set_clock(nine - 30min);
    ledger.execute("UPDATE message_types SET send_at = '08:15'");
    ledger.finish_type_changes();
    ledger.set_clock(nine);
    ledger.change(user, [](auto& fields) { fields.timezone = "UTC"; });
    ledger.end_with({.ending = domain::Ending::sent});

    const auto moved = ledger.why(user);
    CAPTURE(moved.text);
    CHECK(moved.code == "sent_late");
    CHECK(fact<domain::Instant>(moved, "userChangedAt") == nine);
    const auto edited = ledger.why(other);
    CAPTURE(edited.text);
    CHECK(edited.code == "sent_late");
    CHECK_FALSE(fact<domain::Instant>(edited, "userChangedAt"));
    CHECK(fact<domain::Instant>(edited, "typeRulesChangedAt") == nine - 30min);
}

TEST_CASE("a time zone that the server does not know is a reason, and keeps nobody from asking") {
    Explained ledger(nine);
    const auto user = ledger.people_due(1).front();
    ledger.end_with({.ending = domain::Ending::sent});
    ledger.execute(
        "ALTER TABLE users DISABLE TRIGGER USER; UPDATE users SET timezone = 'Atlantis/Capital'; "
        "ALTER TABLE users ENABLE TRIGGER USER; UPDATE message_logs SET timezone = 'Atlantis/Capital'");
    CHECK(ledger.code(user, 2028y / 2 / 27) == "unknown_timezone");
    CHECK(ledger.code(user, 2028y / 2 / 28) == "not_this_day");
    CHECK(ledger.why(user).code == "sent");
    ledger.execute("INSERT INTO message_types (name, template) VALUES ('NAME_DAY', 'Hey')");
    const auto added = postgres::insert_occasion(
        ledger.pool, user, {.message_type = "NAME_DAY", .date = 2027y / 2 / 28, .one_off = true},
        [](const domain::OccasionFacts& facts) -> domain::Result<domain::Occasion> {
            CHECK(facts.type_exists);
            CHECK_FALSE(facts.passed);
            return domain::Occasion{"NAME_DAY", 2027y / 2 / 28, true};
        });
    CHECK((added && *added));
    CHECK(ledger.day(user, 2027y / 2 / 28, "NAME_DAY").code == "unknown_timezone");
}

TEST_CASE("a pause is a time with an end, as far as the audit log knows") {
    Explained ledger;
    // On a clock that runs, so that the words have an order.
    ledger.set_clock(nine, 1);
    REQUIRE(postgres::pause_deliveries(ledger.pool, "ops", "first", {}));
    REQUIRE(postgres::pause_deliveries(ledger.pool, "ops", "second", nine + 1h));
    REQUIRE(postgres::resume_deliveries(ledger.pool, "ops", {}));
    REQUIRE(postgres::pause_deliveries(ledger.pool, "ops", "third", nine + 2h));
    ledger.execute(
        "INSERT INTO audit_log (actor, action, subject, detail) VALUES "
        "('ops', 'message type changed', 'message_type BIRTHDAY', "
        "'{\"paused_until\": {\"old\": null, \"new\": \"2027-02-28T09:00:00+00:00\"}}'), "
        "('ops', 'message type changed', 'message_type BIRTHDAY', '{\"spread\": {\"old\": \"0\", \"new\": "
        "\"1\"}}'), "
        "('ops', 'message type changed', 'message_type OTHER', "
        "'{\"paused_until\": {\"old\": null, \"new\": \"2027-02-28T09:00:00+00:00\"}}')");
    const auto shown = ledger.rows(
        "SELECT everything, reason, until > since, until = '2027-02-27T11:00Z' OR until = "
        "'2027-02-28T09:00Z', "
        "actor FROM holds_of('BIRTHDAY')");
    std::vector<std::string> holds;
    for (const auto row : shown) {
        CHECK(row.get<bool>(2));
        CHECK(row.get<std::string>(4) == "ops");
        holds.push_back((row.get<bool>(0) ? "all " : "type ") + row.get<std::string>(1) +
                        (row.get<bool>(3) ? " to its end" : ""));
    }
    CHECK(holds == Names{"all first", "all second", "all third to its end", "type  to its end"});
}

TEST_CASE("attempts are listed up to the newest fifty") {
    Explained ledger(nine);
    const auto user = ledger.people_due(1).front();
    ledger.execute(
        "UPDATE message_logs SET status = 'RETRYING', attempt = 60, due_at = app_now() + interval '30 s'; "
        "INSERT INTO delivery_attempts (message_id, delivery_date, attempt, started_at, finished_at, "
        "outcome) "
        "SELECT id, delivery_date, n, clock_timestamp(), clock_timestamp(), 'RETRYING' "
        "FROM message_logs, generate_series(1, 60) n");
    const auto history = ledger.history(user);
    CHECK(history.attempts.size() == 50);
    CHECK(history.attempts.front().number == 11);
    CHECK(history.attempts.back().number == 60);
    CHECK(history.earlier_attempts == 10);
}

TEST_CASE("a message planned for a user or type of before is said to be replanned first") {
    const bool user_changed = GENERATE(true, false);
    Explained ledger(nine);
    const auto user = ledger.people_due(1).front();
    ledger.execute(user_changed ? "UPDATE message_logs SET plan_version = plan_version - 1"
                                : "UPDATE message_logs SET type_version = type_version - 1");
    CHECK(ledger.why(user).code == "waiting_replan");
    REQUIRE(postgres::pause_deliveries(ledger.pool, "ops", "wrong text", {}));
    CHECK(ledger.why(user).code == "waiting_replan");
}

TEST_CASE("a message of a type that is being deleted is said to be outdated") {
    Explained ledger(nine);
    const auto user = ledger.people_due(1).front();
    ledger.execute("UPDATE message_types SET deleted_at = app_now()");
    CHECK(ledger.why(user).code == "waiting_replan");
}

TEST_CASE(
    "a message is found by its id with one index probe a partition, whatever a session planned before") {
    Ledger ledger(nine);
    std::vector<domain::UserFields> people;
    for (int i = 0; i < 3000; ++i) {
        people.push_back(Ledger::born(1990y / 2 / 27));
        people.back().email = std::to_string(i) + "@example.com";
    }
    ledger.add_unplanned(people, "2027-02-26T00:00:00Z");
    // The pool of api-svc, which does not forbid scans, and knows the ledger empty.
    ledger.execute("ANALYZE message_logs");
    auto pool = ledger.database.pool(1);
    const auto unknown = ledger.value<domain::Uuid>("SELECT uuid_v7()");
    for (int i = 0; i < 10; ++i) CHECK_FALSE(postgres::message_history(pool, unknown));
    const auto partitions =
        ledger.value<int>("SELECT count(*) FROM pg_inherits WHERE inhparent = 'message_logs'::regclass");
    CHECK(ledger.plan() == 3000);

    const auto read = [&] {
        pool.lease()->execute("SELECT pg_stat_force_next_flush(); SELECT pg_stat_clear_snapshot()");
        return std::pair(ledger.value<int>("SELECT coalesce(sum(seq_tup_read), 0) FROM pg_stat_all_tables "
                                           "WHERE relname LIKE 'message_logs%'"),
                         ledger.value<int>("SELECT coalesce(sum(idx_scan), 0) FROM pg_stat_all_tables "
                                           "WHERE relname LIKE 'message_logs%'"));
    };
    const auto id = ledger.value<domain::Uuid>("SELECT id FROM message_logs LIMIT 1");
    const auto before = read();
    CHECK(postgres::message_history(pool, id));
    const auto after = read();
    CHECK(after.first == before.first);
    CHECK(after.second - before.second == partitions);
}

TEST_CASE("a user's day without a message has its reason") {
    Explained ledger(at(2027y / 2 / 20, 12h));
    auto leap = Ledger::born(1992y / 2 / 29);
    const auto user = ledger.add(Ledger::born(1990y / 2 / 27));

    SECTION("it is another day or no day at all") {
        CHECK(ledger.code(user, 2027y / 3 / 1) == "not_this_day");
        CHECK(fact<domain::Date>(ledger.day(user, 2027y / 3 / 1), "keptOn") == domain::Date(2027y / 2 / 27));
        CHECK(ledger.day(user, 2027y / 3 / 1, "ANNIVERSARY").code == "no_such_occasion");
        CHECK(ledger.day(user, 2027y / 3 / 1, "NO_SUCH").code == "no_such_type");
        ledger.change(user, [](auto& fields) { fields.anniversary_date = 2027y / 3 / 1; });
        CHECK(ledger.day(user, 2027y / 3 / 1, "ANNIVERSARY").code == "first_year");
        CHECK(ledger.day(user, 2028y / 3 / 1, "ANNIVERSARY").code == "not_planned_yet");
        CHECK_FALSE(postgres::day_history(ledger.pool, ledger.value<domain::Uuid>("SELECT uuid_v7()"),
                                          "BIRTHDAY", 2027y / 3 / 1));
    }
    SECTION("the rule of 29 February") {
        const auto born = ledger.add(leap);
        const auto kept_on = [&](const domain::Date& day) {
            return fact<domain::Date>(ledger.day(born, day), "keptOn");
        };
        CHECK(ledger.code(born, 2027y / 2 / 28) == "not_planned_yet");
        CHECK(kept_on(2027y / 3 / 1) == domain::Date(2027y / 2 / 28));
        CHECK(kept_on(2028y / 2 / 28) == domain::Date(2028y / 2 / 29));
        CHECK(kept_on(2028y / 3 / 1) == domain::Date(2028y / 2 / 29));
        ledger.execute("UPDATE message_types SET leap_day = 'mar1'");
        CHECK(kept_on(2027y / 2 / 28) == domain::Date(2027y / 3 / 1));
        ledger.execute("UPDATE message_types SET leap_day = 'skip'");
        CHECK(ledger.code(born, 2027y / 2 / 28) == "skipped_by_rule");
        CHECK(ledger.code(born, 2028y / 2 / 28) == "not_this_day");
        CHECK(ledger.code(born, 2028y / 2 / 29) == "not_planned_yet");
    }
    SECTION("a clock that skips the time") {
        const auto gap = ledger.add(Ledger::born(1990y / 3 / 28, "Europe/Berlin"));
        ledger.execute("UPDATE message_types SET send_at = '02:30', gap_rule = 'skip'");
        CHECK(ledger.code(gap, 2027y / 3 / 28) == "skipped_by_rule");
        CHECK(ledger.code(gap, 2028y / 3 / 28) == "not_planned_yet");
    }
    SECTION("the user was known too late, or is gone") {
        ledger.plan();
        const auto late = ledger.add(Ledger::born(1990y / 2 / 20));
        CHECK(ledger.code(late, 2027y / 2 / 20) == "not_known_in_time");
        CHECK(ledger.code(late, 2026y / 2 / 20) == "not_known_in_time");
        const auto changed = ledger.add(Ledger::born(1990y / 3 / 20));
        ledger.set_clock(at(2027y / 2 / 21, 12h));
        ledger.change(changed, [](auto& fields) { fields.birthday_date = 1990y / 2 / 21; });
        CHECK(fact<domain::Instant>(ledger.day(changed, 2027y / 2 / 21), "userChangedAt") ==
              at(2027y / 2 / 21, 12h));
        CHECK(ledger.code(changed, 2027y / 2 / 21) == "not_known_in_time");
        ledger.change(user, [](auto& fields) { fields.opted_out = true; });
        CHECK(ledger.code(user) == "opted_out");
        postgres::delete_user(ledger.pool, user);
        CHECK(ledger.code(user) == "deleted");
        const auto gone = ledger.day(user, 2027y / 2 / 27);
        CHECK(fact<domain::Instant>(gone, "deletedAt") == at(2027y / 2 / 21, 12h));
        CHECK_FALSE(fact<std::string>(gone, "timezone"));
        const auto before = ledger.day(user, 2027y / 2 / 20);
        CHECK(before.code == "not_this_day");
        CHECK_FALSE(fact<domain::Date>(before, "keptOn"));
    }
    SECTION("the type was made or changed too late, or is gone") {
        ledger.execute(
            "INSERT INTO message_types (name, template, leap_day) VALUES ('NAME_DAY', 'Hey', 'skip')");
        ledger.rows(
            "INSERT INTO user_occasions (user_id, message_type, date) "
            "SELECT $1, 'NAME_DAY', date FROM unnest('{2020-02-20, 2020-02-29}'::date[]) AS date",
            user);
        ledger.execute("UPDATE users SET created_at = '2020-01-01', plan_changed_at = '2020-01-01'");
        CHECK(ledger.day(user, 2027y / 2 / 20, "NAME_DAY").code == "type_not_known_in_time");
        ledger.set_clock(at(2027y / 3 / 2, 12h));
        ledger.plan();
        CHECK(ledger.day(user, 2027y / 2 / 28, "NAME_DAY").code == "skipped_by_rule");
        ledger.execute("UPDATE message_types SET leap_day = 'feb28' WHERE name = 'NAME_DAY'");
        const auto changed = ledger.day(user, 2027y / 2 / 28, "NAME_DAY");
        CHECK(changed.code == "type_not_known_in_time");
        CHECK(fact<domain::Instant>(changed, "typeRulesChangedAt") == at(2027y / 3 / 2, 12h));
        ledger.execute("UPDATE message_types SET deleted_at = app_now() WHERE name = 'NAME_DAY'");
        CHECK(ledger.day(user, 2028y / 2 / 20, "NAME_DAY").code == "type_deleted");
    }
    SECTION("the planner has not come there yet, or is behind") {
        auto somebody = Ledger::born(1990y / 2 / 25, "Asia/Tokyo");
        somebody.email = "ada@example.com";
        ledger.add_unplanned({somebody}, "2027-02-20T00:00:00Z");
        const auto tokyo = ledger.value<domain::Uuid>("SELECT id FROM users WHERE timezone = 'Asia/Tokyo'");
        ledger.plan();
        CHECK(ledger.code(tokyo, 2027y / 2 / 25) == "not_planned_yet");
        CHECK(fact<domain::Instant>(ledger.day(tokyo, 2027y / 2 / 25), "plannedFrom") ==
              at(2027y / 2 / 23, 22h));
        ledger.set_clock(at(2027y / 2 / 23, 22h));
        const auto behind = ledger.day(tokyo, 2027y / 2 / 25);
        CHECK(behind.code == "planner_behind");
        CHECK(fact<domain::Date>(behind, "firstUnplanned") == domain::Date(2027y / 2 / 22));
        ledger.set_clock(at(2027y / 2 / 23, 22h) + 1s);
        ledger.plan();
        CHECK(ledger.code(tokyo, 2027y / 2 / 25) == "waiting");
    }
    SECTION("it was planned and removed") {
        ledger.set_clock(at(2027y / 2 / 26, 12h));
        ledger.plan();
        REQUIRE(ledger.code(user) == "waiting");
        ledger.change(user, [](auto& fields) { fields.birthday_date = 1990y / 5 / 7; });
        const auto removed = ledger.day(user, 2027y / 2 / 27);
        CHECK(removed.code == "removed");
        CHECK(fact<std::string>(removed, "because") == "not_this_day");
        CHECK(fact<domain::Date>(removed, "keptOn") == domain::Date(2027y / 5 / 7));
        CHECK(fact<domain::Instant>(removed, "removedAt") == at(2027y / 2 / 26, 12h));
    }
    SECTION("the ledger holds nothing of the month") {
        ledger.execute("UPDATE users SET created_at = '2020-01-01', plan_changed_at = '2020-01-01'");
        CHECK(ledger.code(user, 2026y / 2 / 27) == "too_old_to_know");
        CHECK(ledger.code(user, 2025y / 3 / 1) == "too_old_to_know");
        CHECK(ledger.code(user, 2019y / 2 / 27) == "not_known_in_time");
    }
    SECTION("somebody deleted the row by hand") {
        ledger.set_clock(at(2027y / 2 / 26, 12h));
        ledger.plan();
        ledger.execute("DELETE FROM message_logs");
        CHECK(ledger.code(user) == "unexplained");
    }
}

TEST_CASE("an explained day names the messages of its neighbourhood") {
    Explained ledger(nine);
    const auto user = ledger.people_due(1).front();
    ledger.end_with({.ending = domain::Ending::sent});
    const auto near = postgres::day_history(ledger.pool, user, "BIRTHDAY", 2027y / 3 / 1).value();
    REQUIRE(near.others.size() == 1);
    CHECK(near.others.front().delivery_date == domain::Date(2027y / 2 / 27));
    CHECK(postgres::day_history(ledger.pool, user, "BIRTHDAY", 2027y / 2 / 27)->others.empty());
    CHECK(postgres::day_history(ledger.pool, user, "ANNIVERSARY", 2027y / 3 / 1)->others.empty());
    CHECK(postgres::day_history(ledger.pool, user, "BIRTHDAY", 2029y / 3 / 1)->others.empty());
}
