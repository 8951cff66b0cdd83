#include "libcore/postgres/cancel_table.hpp"

#include <catch2/catch.hpp>
#include <future>

#include "tests/libcore/postgres/ledger.hpp"
#include "tests/support/eventually.hpp"

namespace {

using domain::Refusal;

const auto nine = at(2027y / 2 / 27, 9h);

struct Waiting : Ledger {
    explicit Waiting(int count = 1) : Ledger(nine) { people_due(count); }

    MessageRow row() { return messages().front(); }

    std::optional<Refusal> cancel() {
        const auto refused = postgres::cancel(pool, row().id, {"ops", "wrong text"});
        return refused ? std::optional(refused->refusal) : std::nullopt;
    }

    domain::Progress run(const domain::Uuid& shown) {
        for (;;) {
            const auto progress = postgres::cancel_shown(pool, shown, "ops");
            if (progress.value().finished) return *progress;
        }
    }
};

const domain::MessageFilter all{.message_type = "BIRTHDAY", .from = nine, .to = nine + 1h};

}  // namespace

TEST_CASE("a message that waits, is queued or waits again is cancelled by a person and not sent") {
    const std::string status = GENERATE("SCHEDULED", "QUEUED", "RETRYING");
    Waiting ledger;
    std::vector<domain::Delivery> hints;
    if (status == "QUEUED") hints = ledger.dispatch();
    if (status == "RETRYING") ledger.execute("UPDATE message_logs SET status = 'RETRYING', attempt = 1");
    REQUIRE(ledger.row().status == status);
    REQUIRE_FALSE(ledger.cancel());
    CHECK(ledger.row().status == "CANCELLED");
    CHECK(ledger.row().error == "cancelled by ops: wrong text");
    CHECK_FALSE(ledger.row().due);
    CHECK(ledger.dispatch().empty());
    CHECK(ledger.claim(hints).claimed.empty());
    CHECK(ledger.cancel() == Refusal::wrong_status);
    CHECK(ledger.value<std::string>(
              "SELECT concat_ws(' ', actor, detail->>'reason', detail->>'was') FROM audit_log "
              "WHERE action = 'message cancelled'") == "ops wrong text " + status);
}

TEST_CASE("a cancel that meets a dispatcher before its commit cancels what it publishes", "[threads]") {
    const bool many = GENERATE(false, true);
    Waiting ledger(3);
    std::future<int> cancelled;
    postgres::dispatch(ledger.pool, 10, [&](std::span<const domain::Delivery>) {
        cancelled = std::async(std::launch::async, [&] {
            const auto shown = postgres::show_cancel(ledger.pool, {"ops", "wrong text"}, all);
            return many ? ledger.run(shown.id).done : static_cast<int>(!ledger.cancel());
        });
        CHECK(support::eventually(
            [&] { return ledger.value<int>("SELECT count(*) FROM pg_locks WHERE NOT granted") > 0; }));
    });
    CHECK(cancelled.get() == (many ? 3 : 1));
    CHECK(ledger.count_by_status()["CANCELLED"] == (many ? 3 : 1));
}

TEST_CASE("what the provider may have is left to a person when it is cancelled") {
    Waiting ledger;
    ledger.execute("UPDATE message_logs SET status = 'RETRYING', attempt = 1, in_doubt = true");
    REQUIRE_FALSE(ledger.cancel());
    CHECK(ledger.row().status == "UNKNOWN");
    CHECK(ledger.row().needs_attention);
}

TEST_CASE("what is in flight or over is not cancelled") {
    Waiting ledger;
    ledger.claim(ledger.dispatch());
    CHECK(ledger.cancel() == Refusal::in_flight);
    ledger.execute("UPDATE message_logs SET status = 'SENT'");
    CHECK(ledger.cancel() == Refusal::wrong_status);
    const auto unknown = postgres::cancel(ledger.pool, ledger.row().user, {"ops", "why"});
    CHECK(unknown.value().refusal == Refusal::no_such_message);
}

TEST_CASE("a cancel by a person outlives every change of the user, the type and the plan") {
    Waiting ledger;
    const auto user = ledger.row().user;
    REQUIRE_FALSE(ledger.cancel());
    using Fields = domain::UserFields;
    const std::vector<std::function<void(Fields&)>> changes = {
        [](Fields& fields) { fields.timezone = "America/New_York"; },
        [](Fields& fields) { fields.opted_out = true; },
        [](Fields& fields) { fields.opted_out = false; },
        // The date goes, and comes back.
        [](Fields& fields) { fields.birthday_date = 1990y / 2 / 28; },
        [](Fields& fields) { fields.birthday_date = 1990y / 2 / 27; },
    };
    for (const auto& change : changes) {
        ledger.change(user, change);
        ledger.plan();
        const auto rows = ledger.messages(user);
        const auto kept = std::ranges::find(rows, 2027y / 2 / 27, &MessageRow::date);
        REQUIRE(kept != rows.end());
        CHECK(kept->status == "CANCELLED");
        CHECK(kept->error == "cancelled by ops: wrong text");
    }
    ledger.execute("UPDATE message_types SET send_at = '18:00' WHERE name = 'BIRTHDAY'");
    ledger.finish_type_changes();
    postgres::replan(ledger.pool, std::vector{user});
    ledger.plan();
    ledger.set_clock(nine + 12h);
    CHECK(ledger.dispatch().empty());
}

TEST_CASE("a cancel of many does what was shown, and not what was planned afterwards") {
    Waiting ledger(postgres::step_size + 20);
    const auto shown = postgres::show_cancel(ledger.pool, {"ops", "wrong text"}, all);
    CHECK(shown.ready == postgres::step_size + 20);
    CHECK(shown.ages.value().median == 0s);
    ledger.people_due(1);
    CHECK(ledger.count_by_status()["SCHEDULED"] == postgres::step_size + 21);
    CHECK(ledger.run(shown.id).done == shown.ready);
    CHECK(ledger.run(shown.id).done == shown.ready);
    CHECK(ledger.count_by_status() ==
          std::map<std::string, int>{{"CANCELLED", postgres::step_size + 20}, {"SCHEDULED", 1}});
}

TEST_CASE("a cancel of many takes nothing that came into its state or its time after it was shown") {
    Waiting ledger(4);
    const auto rows = ledger.messages();
    const auto set = [&](std::size_t i, const std::string& what) {
        ledger.execute("UPDATE message_logs SET " + what + " WHERE id = '" + domain::to_string(rows[i].id) +
                       "'");
    };
    set(0, "status = 'SENDING', due_at = NULL");
    set(1, "status = 'FAILED', due_at = NULL, attention_at = app_now()");
    set(2, "scheduled_send_time = scheduled_send_time + interval '2 hours'");
    const auto shown = postgres::show_cancel(ledger.pool, {"ops", "wrong text"}, all);
    REQUIRE(shown.ready == 1);
    set(0, "status = 'RETRYING', due_at = app_now()");
    set(1, "status = 'SCHEDULED', due_at = app_now(), attention_at = NULL");
    set(2, "scheduled_send_time = scheduled_send_time - interval '2 hours'");
    // And one of those that were shown is over.
    set(3, "status = 'SENT', due_at = NULL");
    CHECK(ledger.run(shown.id).done == 0);
    CHECK(ledger.count_by_status() ==
          std::map<std::string, int>{{"RETRYING", 1}, {"SCHEDULED", 2}, {"SENT", 1}});
}

TEST_CASE("what was shown a day ago is forgotten, whether or not anybody shows more") {
    Waiting ledger(3);
    const auto shown = postgres::show_cancel(ledger.pool, {"ops", "wrong text"}, all);
    REQUIRE(shown.ready == 3);
    ledger.execute("UPDATE interventions SET shown_at = shown_at - interval '24 hours 1 second'");
    CHECK_FALSE(postgres::cancel_shown(ledger.pool, shown.id, "ops"));
    CHECK(ledger.count_by_status() == std::map<std::string, int>{{"SCHEDULED", 3}});
}

TEST_CASE("a cancel of many and a change of many do not wait for each other in a circle", "[threads]") {
    // The day that begins last has its nine o'clock before the other's.
    Waiting ledger(0);
    std::vector<domain::Uuid> users;
    for (int i = 0; i < 60; ++i) {
        auto person = Ledger::born(1990y / 2 / 27, i % 2 == 0 ? "Pacific/Kiritimati" : "Pacific/Pago_Pago");
        if (i % 2 == 0) person.birthday_date = 1990y / 2 / 28;
        users.push_back(ledger.add(person));
    }
    const domain::MessageFilter wide{.message_type = "BIRTHDAY", .from = nine, .to = nine + 48h};
    const auto shown = postgres::show_cancel(ledger.pool, {"ops", "wrong text"}, wide);
    REQUIRE(shown.ready == 60);
    const auto locks = [&] { return ledger.value<int>("SELECT count(*) FROM pg_locks WHERE NOT granted"); };
    auto first = ledger.pool.lease();
    // Holds the first row by (delivery_date, id): both must come to it before they have any other.
    first->execute("BEGIN; SELECT FROM message_logs ORDER BY delivery_date, id LIMIT 1 FOR UPDATE");
    auto cancelled = std::async(std::launch::async, [&] { return ledger.run(shown.id).done; });
    auto changed = std::async(std::launch::async, [&] { postgres::replan(ledger.pool, users); });
    CHECK(support::eventually([&] { return locks() >= 2; }));
    CHECK(ledger.value<int>("WITH free AS (SELECT FROM message_logs FOR UPDATE SKIP LOCKED) "
                            "SELECT count(*) FROM free") == 59);
    first->execute("ROLLBACK");
    changed.get();
    CHECK(cancelled.get() == 60);
}

TEST_CASE("a cancel of many leaves alone what is in flight") {
    Waiting ledger(10);
    ledger.claim(ledger.dispatch(4));
    const auto shown = postgres::show_cancel(ledger.pool, {"ops", "wrong text"}, all);
    CHECK(shown.ready == 6);
    auto retrying = all;
    retrying.status = domain::Status::retrying;
    CHECK(postgres::show_cancel(ledger.pool, {"ops", "wrong text"}, retrying).ready == 0);
    CHECK_FALSE(postgres::cancel_shown(ledger.pool, ledger.row().id, "ops"));
    CHECK(ledger.run(shown.id).done == 6);
    CHECK(ledger.count_by_status() == std::map<std::string, int>{{"CANCELLED", 6}, {"SENDING", 4}});
}
