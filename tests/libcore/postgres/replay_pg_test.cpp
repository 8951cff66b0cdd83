#include "libcore/postgres/replay_table.hpp"

#include <catch2/catch.hpp>
#include <thread>

#include "libcore/postgres/cancel_table.hpp"
#include "libcore/postgres/record_table.hpp"
#include "tests/libcore/postgres/ledger.hpp"

namespace {

using domain::Refusal;

const auto nine = at(2027y / 2 / 27, 9h);
constexpr auto day = 24h;

/// Messages that were given up, of attempt 1.
struct GivenUp : Ledger {
    std::vector<domain::Uuid> people;

    explicit GivenUp(const std::string& status = "FAILED", int count = 1) : Ledger(nine) {
        people = people_due(count);
        claim(dispatch());
        make(status);
    }

    void make(const std::string& status) {
        execute("UPDATE message_logs SET due_at = NULL, status = '" + status +
                "', attention_at = CASE WHEN '" + status +
                "' IN ('FAILED', 'MISSED', 'UNKNOWN') THEN app_now() END, actual_send_time = CASE WHEN '" +
                status + "' = 'SENT' THEN app_now() END, in_doubt = ('" + status +
                "' = 'UNKNOWN'), failures = 6, rescues = 3, error_message = 'why', api_response_code = 400");
    }

    MessageRow row() { return messages().front(); }

    /// "done", or why not.
    std::optional<Refusal> replay(const domain::ReplayOptions& options = {}) {
        const auto refused = postgres::replay(pool, row().id, {"ops", "it was us"}, options, day);
        return refused ? std::optional(refused->refusal) : std::nullopt;
    }

    /// All of it, in as many steps as it takes.
    domain::Progress run(const domain::Uuid& shown) {
        for (;;) {
            const auto progress = postgres::replay_shown(pool, shown, "ops", day);
            if (progress.value().finished) return *progress;
        }
    }

    domain::Shown show(const domain::MessageFilter& filter = {}, const domain::ReplayOptions& options = {},
                       int per_minute = 60'000) {
        return postgres::show_replay(pool, {"ops", "it was us"}, filter, options, per_minute, day);
    }

    int due() { return value<int>("SELECT count(*) FROM message_logs WHERE status = 'SCHEDULED'"); }
    int noted() { return value<int>("SELECT count(*) FROM audit_log WHERE action = 'message replayed'"); }
};

domain::Instant real_now() {
    return std::chrono::floor<std::chrono::microseconds>(std::chrono::system_clock::now());
}

postgres::Attempted outcome_of(const MessageRow& row, domain::Ending ending) {
    return {.message_id = row.id,
            .delivery_date = row.date,
            .attempt = row.attempt,
            .outcome = {.ending = ending},
            .http_status = 200,
            .body = {},
            .error = {},
            .started_at = real_now(),
            .finished_at = real_now()};
}

}  // namespace

TEST_CASE(
    "what was given up goes out again under its key, with a budget of its own and for the address of now") {
    const std::string status = GENERATE("FAILED", "MISSED");
    GivenUp ledger(status);
    const auto before = ledger.row();
    REQUIRE(before.content != "");
    ledger.change(before.user, [](domain::UserFields& fields) { fields.email = "new@example.com"; });
    REQUIRE_FALSE(ledger.replay());
    const auto after = ledger.row();
    CHECK(after.status == "SCHEDULED");
    CHECK(after.due == nine);
    CHECK(after.attempt == before.attempt);
    CHECK(after.failures == 0);
    CHECK_FALSE(after.needs_attention);
    const auto claimed = ledger.claim(ledger.dispatch()).claimed;
    REQUIRE(claimed.size() == 1);
    CHECK(claimed[0].attempt == before.attempt + 1);
    CHECK(claimed[0].recipient_email == "new@example.com");
    CHECK(claimed[0].idempotency_key == domain::idempotency_key(before.user, before.type, before.date));
    CHECK(ledger.value<std::string>(
              "SELECT concat_ws(' ', actor, detail->>'reason', detail->>'was') FROM audit_log "
              "WHERE action = 'message replayed'") == "ops it was us " + status);
}

TEST_CASE("what the provider may have is replayed with the same bytes and ends as sent or unknown") {
    GivenUp ledger("UNKNOWN");
    const auto before = ledger.row();
    ledger.change(before.user, [](domain::UserFields& fields) {
        fields.email = "new@example.com";
        fields.first_name = "Eve";
    });
    REQUIRE_FALSE(ledger.replay());
    const auto claimed = ledger.claim(ledger.dispatch()).claimed;
    REQUIRE(claimed.size() == 1);
    CHECK(claimed[0].in_doubt);
    CHECK(claimed[0].recipient_email == before.email);
    CHECK(claimed[0].content == before.content);
}

TEST_CASE(
    "a message in doubt that is older than the provider's memory of its key is replayed only if forced") {
    GivenUp ledger("UNKNOWN");
    const bool by_attempt = GENERATE(true, false);
    if (by_attempt) {
        ledger.execute(
            "INSERT INTO delivery_attempts (message_id, delivery_date, attempt, started_at, finished_at, "
            "outcome, in_doubt) "
            "SELECT id, delivery_date, 1, clock_timestamp() - interval '25 hours', clock_timestamp(), "
            "'UNKNOWN', true FROM message_logs");
    } else {
        ledger.execute("UPDATE message_logs SET lease_until = clock_timestamp() - interval '25 hours'");
    }
    CHECK(ledger.replay() == Refusal::key_expired);
    CHECK(ledger.replay({.late = true}) == Refusal::key_expired);
    CHECK(ledger.row().status == "UNKNOWN");
    CHECK_FALSE(ledger.replay({.forced = true}));
    CHECK(ledger.row().status == "SCHEDULED");
    CHECK(ledger.row().in_doubt);
}

TEST_CASE("what is forced is claimed however old its key is, until it is in doubt anew for too long") {
    GivenUp ledger("UNKNOWN");
    ledger.execute(
        "INSERT INTO delivery_attempts (message_id, delivery_date, attempt, started_at, finished_at, "
        "outcome, in_doubt) "
        "SELECT id, delivery_date, 1, clock_timestamp() - interval '25 hours', clock_timestamp(), 'UNKNOWN', "
        "true FROM message_logs");
    REQUIRE_FALSE(ledger.replay({.forced = true}));
    const auto claimed = ledger.claim(ledger.dispatch()).claimed;
    REQUIRE(claimed.size() == 1);
    postgres::give_back_claims(ledger.pool, claimed, {});
    const auto again = ledger.claim(ledger.dispatch()).claimed;
    REQUIRE(again.size() == 1);

    auto attempted = outcome_of(ledger.row(), domain::Ending::retrying);
    attempted.outcome.in_doubt = true;
    attempted.started_at = real_now() - 25h;
    postgres::record_outcomes(ledger.pool, std::span(&attempted, 1));
    const auto report = ledger.claim(ledger.dispatch());
    CHECK(report.claimed.empty());
    CHECK(report.key_expired == 1);
    CHECK(ledger.row().status == "UNKNOWN");
    CHECK(ledger.replay() == Refusal::key_expired);
}

TEST_CASE("what is forced is claimed though its key gets too old while it waits") {
    GivenUp ledger("UNKNOWN");
    ledger.execute(
        "INSERT INTO delivery_attempts (message_id, delivery_date, attempt, started_at, finished_at, "
        "outcome, in_doubt) "
        "SELECT id, delivery_date, 1, clock_timestamp() - interval '1 hour', clock_timestamp(), 'UNKNOWN', "
        "true FROM message_logs");
    REQUIRE_FALSE(ledger.replay({.forced = true}));
    ledger.execute("UPDATE delivery_attempts SET started_at = clock_timestamp() - interval '25 hours'");
    CHECK(ledger.claim(ledger.dispatch()).claimed.size() == 1);
}

TEST_CASE("a delivered message is sent again only if forced, and never called failed then") {
    GivenUp ledger("SENT");
    CHECK(ledger.replay({.late = true}) == Refusal::already_sent);
    REQUIRE_FALSE(ledger.replay({.forced = true}));
    CHECK(ledger.row().in_doubt);
    CHECK(ledger.claim(ledger.dispatch()).claimed.size() == 1);
}

TEST_CASE("a message later than its type allows is replayed only if late is asked for, and then not missed") {
    GivenUp ledger("MISSED");
    const auto later = nine + 72h;
    ledger.set_clock(later);
    CHECK(ledger.replay() == Refusal::past_deadline);
    REQUIRE_FALSE(ledger.replay({.late = true}));
    CHECK(ledger.row().due == later);
    const auto claimed = ledger.claim(ledger.dispatch());
    CHECK(claimed.missed == 0);
    CHECK(claimed.claimed.size() == 1);

    // Its lateness begins anew: two days later it is missed again, and late again.
    ledger.make("MISSED");
    CHECK_FALSE(ledger.replay());
    ledger.set_clock(later + 49h);
    CHECK(ledger.dispatch().empty());
    CHECK(ledger.row().status == "MISSED");
    CHECK(ledger.replay() == Refusal::past_deadline);
}

TEST_CASE("a replay after the recipient's day has the late text") {
    GivenUp ledger("MISSED");
    ledger.execute(
        "UPDATE message_types SET late_template = 'Belated, {first_name}' WHERE name = 'BIRTHDAY'");
    ledger.set_clock(nine + 72h);
    REQUIRE_FALSE(ledger.replay({.late = true}));
    const auto claimed = ledger.claim(ledger.dispatch()).claimed;
    REQUIRE(claimed.size() == 1);
    CHECK(claimed[0].content == "Belated, Ada");
}

TEST_CASE(
    "a message that waits, is in flight or cancelled, or whose recipient or type is gone is not replayed") {
    GivenUp ledger("CANCELLED");
    CHECK(ledger.replay({.late = true, .forced = true}) == Refusal::wrong_status);
    ledger.make("SENDING");
    CHECK(ledger.replay({.late = true, .forced = true}) == Refusal::in_flight);
    ledger.make("FAILED");
    const auto user = ledger.row().user;
    ledger.change(user, [](domain::UserFields& fields) { fields.opted_out = true; });
    CHECK(ledger.replay({.late = true, .forced = true}) == Refusal::recipient_gone);
    ledger.change(user, [](domain::UserFields& fields) { fields.opted_out = false; });
    ledger.execute("UPDATE message_types SET deleted_at = app_now() WHERE name = 'BIRTHDAY'");
    CHECK(ledger.replay({.late = true, .forced = true}) == Refusal::type_deleted);
    CHECK(ledger.row().status == "FAILED");
    CHECK(ledger.noted() == 0);
    const auto unknown = postgres::replay(ledger.pool, user, {"ops", "why"}, {}, day);
    CHECK(unknown.value().refusal == Refusal::no_such_message);
}

TEST_CASE("of replays of one message at once a single one is done", "[threads]") {
    GivenUp ledger;
    std::atomic<int> done = 0;
    std::atomic<int> refused = 0;
    {
        std::vector<std::jthread> threads;
        const auto id = ledger.row().id;
        for (int i = 0; i < 6; ++i)
            threads.emplace_back([&] {
                const auto answer = postgres::replay(ledger.pool, id, {"ops", "why"}, {}, day);
                answer ? ++refused : ++done;
            });
    }
    CHECK(done == 1);
    CHECK(refused == 5);
    CHECK(ledger.noted() == 1);
}

TEST_CASE("a success of before a forced replay of what was delivered does not end it") {
    GivenUp ledger("SENT");
    const auto first = ledger.row();
    REQUIRE_FALSE(ledger.replay({.forced = true}));
    const auto late = outcome_of(first, domain::Ending::sent);
    CHECK(postgres::record_outcomes(ledger.pool, std::span(&late, 1)).empty());
    CHECK(ledger.row().status == "SCHEDULED");
    REQUIRE(ledger.claim(ledger.dispatch()).claimed.size() == 1);
    CHECK(postgres::record_outcomes(ledger.pool, std::span(&late, 1)).empty());

    // Its own success does, also when it is learnt late.
    const auto own = outcome_of(ledger.row(), domain::Ending::sent);
    ledger.execute("UPDATE message_logs SET status = 'RETRYING', due_at = app_now()");
    CHECK(postgres::record_outcomes(ledger.pool, std::span(&own, 1)).size() == 1);
    CHECK(ledger.row().status == "SENT");
}

TEST_CASE("a success learnt after the replay ends it") {
    GivenUp ledger("UNKNOWN");
    const auto first = ledger.row();
    REQUIRE_FALSE(ledger.replay());
    CHECK(
        postgres::record_outcomes(ledger.pool, std::vector{outcome_of(first, domain::Ending::sent)}).size() ==
        1);
    CHECK(ledger.row().status == "SENT");
    CHECK(ledger.dispatch().empty());
}

TEST_CASE("a replay of many does what was shown and nothing that came afterwards") {
    GivenUp ledger("FAILED", 6);
    ledger.execute(
        "UPDATE message_logs SET status = 'MISSED', error_message = NULL WHERE id IN "
        "(SELECT id FROM message_logs ORDER BY id LIMIT 2)");
    const auto in_flight = ledger.messages().back();
    const auto set = [&](const std::string& what) {
        ledger.execute("UPDATE message_logs SET " + what + " WHERE id = '" + domain::to_string(in_flight.id) +
                       "'");
    };
    set("status = 'SENDING', attention_at = NULL");
    const auto shown = ledger.show();
    CHECK(shown.matching == 5);
    CHECK(shown.ready == 5);
    CHECK_FALSE(shown.more);
    CHECK(shown.ages.value().oldest == 0s);
    CHECK(ledger.due() == 0);
    // By its time it could have been shown.
    set("status = 'FAILED', attention_at = app_now()");
    ledger.set_clock(nine + 1min);
    const auto progress = ledger.run(shown.id);
    CHECK(progress.done == 5);
    CHECK(ledger.due() == 5);
    CHECK(ledger.message(in_flight.user).status == "FAILED");
    CHECK(ledger.noted() == 5);

    // What fails again is not replayed by the same word.
    ledger.claim(ledger.dispatch());
    ledger.make("FAILED");
    CHECK(ledger.run(shown.id).done == 5);
    CHECK(ledger.due() == 0);
}

TEST_CASE(
    "what is shown of a replay counts what is past its deadline, beyond its key's life, or without "
    "recipient") {
    GivenUp ledger("FAILED", 6);
    const auto rows = ledger.messages();
    const auto set = [&](int i, const std::string& what) {
        ledger.execute("UPDATE message_logs SET " + what + " WHERE id = '" +
                       domain::to_string(rows[static_cast<std::size_t>(i)].id) + "'");
    };
    set(0, "scheduled_send_time = app_now() - interval '49 hours'");
    set(1, "status = 'UNKNOWN', in_doubt = true, lease_until = clock_timestamp() - interval '2 days'");
    set(2, "status = 'UNKNOWN', in_doubt = true");
    ledger.change(rows[3].user, [](domain::UserFields& fields) { fields.opted_out = true; });
    const auto shown = ledger.show();
    CHECK(shown.matching == 6);
    CHECK(shown.ready == 3);
    CHECK(shown.in_doubt == 2);
    CHECK(shown.past_deadline == 1);
    CHECK(shown.key_expired == 1);
    CHECK(shown.gone == 1);
    CHECK(shown.ages.value().oldest == 49h);
    CHECK(shown.ages.value().median == 0s);
    CHECK(ledger.show({}, {.late = true, .forced = true}).ready == 5);
    CHECK(ledger.run(shown.id).done == 3);
    CHECK(ledger.count_by_status() ==
          std::map<std::string, int>{{"FAILED", 2}, {"SCHEDULED", 3}, {"UNKNOWN", 1}});
}

TEST_CASE("a replay of many chooses by status, type, time, answer and error") {
    GivenUp ledger("FAILED", 4);
    const auto rows = ledger.messages();
    const auto set = [&](int i, const std::string& what) {
        ledger.execute("UPDATE message_logs SET " + what + " WHERE id = '" +
                       domain::to_string(rows[static_cast<std::size_t>(i)].id) + "'");
    };
    set(0, "status = 'MISSED'");
    set(1, "api_response_code = 422");
    set(2, "error_message = 'refused: no'");
    const bool of_a_type = GENERATE(false, true);
    const auto ready = [&](domain::MessageFilter filter) {
        if (of_a_type) {
            filter.message_type = "BIRTHDAY";
            filter.from = nine;
            filter.to = nine + 1s;
        }
        return ledger.show(filter, {.forced = true}).ready;
    };
    CHECK(ready({}) == 4);
    CHECK(ready({.status = domain::Status::missed}) == 1);
    CHECK(ready({.response_code = 422}) == 1);
    CHECK(ready({.error = "refused"}) == 1);
    CHECK(ready({.error = "efused"}) == 0);
    CHECK(ready({.status = domain::Status::failed, .response_code = 400}) == 2);
    CHECK(ledger.show({.message_type = "ANNIVERSARY"}).ready == 0);
    CHECK(ledger.show({.from = nine + 1s}).ready == 0);
    CHECK(ledger.show({.to = nine}).ready == 0);
    set(3, "status = 'SENT', attention_at = NULL, actual_send_time = app_now()");
    CHECK(ready({.status = domain::Status::sent}) == (of_a_type ? 1 : 0));
}

TEST_CASE("a replay of many is spread over the minutes, also when it is broken off and gone on with") {
    GivenUp ledger("FAILED", 2 * postgres::step_size + 40);
    const auto shown = ledger.show({}, {}, 60);
    REQUIRE(shown.ready == 2 * postgres::step_size + 40);
    CHECK(postgres::replay_shown(ledger.pool, shown.id, "ops", day)->done == postgres::step_size);
    ledger.set_clock(nine + 2min);
    const auto progress = ledger.run(shown.id);
    CHECK(progress.done == shown.ready);
    CHECK(progress.next_due == nine + std::chrono::seconds(shown.ready));
    CHECK(ledger.value<int>("SELECT count(DISTINCT due_at) FROM message_logs") == shown.ready);
    CHECK(ledger.value<int>("SELECT count(*) FROM message_logs WHERE due_at < app_now()") == 120);
    CHECK(ledger.dispatch(10'000).size() == 121);
}

TEST_CASE("a change of the user or the type does not pull a spread replay together") {
    GivenUp ledger("FAILED", 3);
    ledger.run(ledger.show({}, {}, 1).id);
    const auto due = [&] { return ledger.value<domain::Instant>("SELECT max(due_at) FROM message_logs"); };
    REQUIRE(due() == nine + 2min);
    ledger.execute("UPDATE message_types SET send_at = '08:59' WHERE name = 'BIRTHDAY'");
    ledger.finish_type_changes();
    CHECK(due() == nine + 2min);
    CHECK(ledger.dispatch().size() == 1);
}

TEST_CASE("two who do the same replay at once do it once", "[threads]") {
    GivenUp ledger("FAILED", postgres::step_size + 100);
    const auto shown = ledger.show();
    {
        std::vector<std::jthread> threads;
        for (int i = 0; i < 3; ++i) threads.emplace_back([&] { ledger.run(shown.id); });
    }
    CHECK(ledger.run(shown.id).done == shown.ready);
    CHECK(ledger.noted() == shown.ready);
    CHECK_FALSE(postgres::replay_shown(ledger.pool, ledger.row().id, "ops", day));
}

TEST_CASE("what another one replayed since it was shown is not replayed again, however it ended") {
    GivenUp ledger("UNKNOWN", 2);
    const auto rows = ledger.messages();
    const auto shown = ledger.show({}, {.late = true, .forced = true});
    REQUIRE(shown.ready == 2);
    ledger.set_clock(nine + 1min);
    REQUIRE_FALSE(ledger.replay());
    const std::string status = GENERATE("FAILED", "SENT");
    const bool failed = status == "FAILED";
    ledger.execute("UPDATE message_logs SET due_at = NULL, status = '" + status +
                   "', attention_at = " + (failed ? "app_now()" : "NULL") + ", actual_send_time = " +
                   (failed ? "NULL" : "app_now()") + " WHERE id = '" + domain::to_string(rows[0].id) + "'");
    CHECK(ledger.run(shown.id).done == 1);
    CHECK(ledger.message(rows[0].user).status == status);
    CHECK(ledger.message(rows[1].user).status == "SCHEDULED");
}

TEST_CASE(
    "a spread replay leaves out those whose turn comes after their deadline, unless late is asked for") {
    GivenUp ledger("FAILED", 10);
    ledger.set_clock(nine + 48h - 5min);
    const auto with_late = ledger.show({}, {.late = true}, 1);
    CHECK(with_late.ready == 10);
    CHECK(with_late.turn_too_late == 0);
    const auto shown = ledger.show({}, {}, 1);
    CHECK(shown.matching == 10);
    CHECK(shown.ready == 6);
    CHECK(shown.past_deadline == 0);
    CHECK(shown.turn_too_late == 4);

    // Two minutes go by until somebody says yes.
    ledger.set_clock(nine + 48h - 3min);
    CHECK(ledger.run(shown.id).done == 4);
    CHECK(ledger.value<domain::Instant>("SELECT max(due_at) FROM message_logs") == nine + 48h);
    CHECK(ledger.count_by_status() == std::map<std::string, int>{{"FAILED", 6}, {"SCHEDULED", 4}});
}

TEST_CASE("what a person cancelled and the provider may have is replayed by name only") {
    GivenUp ledger("UNKNOWN", 3);
    const auto row = ledger.row();
    ledger.execute(
        "UPDATE message_logs SET status = 'RETRYING', due_at = app_now(), attention_at = NULL WHERE id = '" +
        domain::to_string(row.id) + "'");
    REQUIRE_FALSE(postgres::cancel(ledger.pool, row.id, {"ops", "wrong text"}));
    REQUIRE(ledger.message(row.user).status == "UNKNOWN");
    const domain::ReplayOptions all{.late = true, .forced = true};
    const auto shown = ledger.show({.status = domain::Status::unknown}, all);
    CHECK(shown.matching == 3);
    CHECK(shown.ready == 2);
    CHECK(shown.cancelled == 1);
    CHECK(ledger.run(shown.id).done == 2);
    CHECK(ledger.message(row.user).status == "UNKNOWN");

    REQUIRE_FALSE(postgres::replay(ledger.pool, row.id, {"ops", "wanted after all"}, {}, day));
    CHECK(ledger.message(row.user).status == "SCHEDULED");
    // That word is the last one: given up again, it is one of many.
    ledger.execute("UPDATE message_logs SET status = 'UNKNOWN', due_at = NULL, attention_at = app_now()");
    CHECK(ledger.show({.status = domain::Status::unknown}).ready == 3);
}

TEST_CASE("what was cancelled between the show and its doing is not replayed with the others") {
    GivenUp ledger("UNKNOWN", 2);
    const auto row = ledger.row();
    const auto shown = ledger.show();
    REQUIRE(shown.ready == 2);
    ledger.execute("UPDATE message_logs SET error_message = 'cancelled by ops: wrong text' WHERE id = '" +
                   domain::to_string(row.id) + "'");
    CHECK(ledger.run(shown.id).done == 1);
    CHECK(ledger.message(row.user).status == "UNKNOWN");
}

TEST_CASE("a message of a date that its recipient no longer keeps is not replayed, whatever is asked for") {
    const std::string status = GENERATE("FAILED", "MISSED", "UNKNOWN", "SENT");
    GivenUp ledger(status);
    const auto shown_before = ledger.show(
        {.status = domain::parse_status(status), .message_type = "BIRTHDAY", .from = nine, .to = nine + 1s},
        {.forced = true});
    REQUIRE(shown_before.ready == 1);
    ledger.change(ledger.row().user,
                  [](domain::UserFields& fields) { fields.birthday_date = 1990y / 6 / 1; });
    CHECK(ledger.replay({.late = true, .forced = true}) == Refusal::date_gone);
    const auto shown = ledger.show(
        {.status = domain::parse_status(status), .message_type = "BIRTHDAY", .from = nine, .to = nine + 1s},
        {.late = true, .forced = true});
    CHECK(shown.matching == 1);
    CHECK(shown.ready == 0);
    CHECK(shown.gone == 1);
    CHECK(ledger.run(shown_before.id).done == 0);
    CHECK(ledger.row().status == status);

    // By the rule of the type it is the same date.
    ledger.change(ledger.row().user,
                  [](domain::UserFields& fields) { fields.birthday_date = 1980y / 2 / 27; });
    CHECK_FALSE(ledger.replay({.late = true, .forced = true}));
}
