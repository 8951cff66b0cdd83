#include <catch2/catch.hpp>
#include <future>
#include <latch>

#include "libcore/postgres/record_table.hpp"
#include "libcore/postgres/transaction.hpp"
#include "tests/libcore/postgres/ledger.hpp"
#include "tests/support/eventually.hpp"

namespace {

const auto nine = at(2027y / 2 / 27, 9h);

/// One message, queued.
struct Queued : Ledger {
    domain::Uuid user;
    std::vector<domain::Delivery> hints;

    explicit Queued(domain::UserFields person = born(1990y / 2 / 27)) : Ledger(nine) {
        user = add(person);
        hints = dispatch();
    }

    void retry_now() {
        execute("UPDATE message_logs SET status = 'RETRYING', due_at = app_now() WHERE status = 'SENDING'");
        hints = dispatch();
    }
};

}  // namespace

TEST_CASE("a claim takes the lease and raises the attempt and gives what is to be sent") {
    Queued ledger;
    const auto report = ledger.claim(ledger.hints);
    REQUIRE(report.claimed.size() == 1);
    const auto& claimed = report.claimed[0];
    CHECK(claimed.attempt == 1);
    CHECK(claimed.message_type == "BIRTHDAY");
    CHECK(claimed.content == "Hey, Ada Lovelace it's your birthday");
    CHECK(claimed.recipient_email == domain::to_string(ledger.user) + "@example.com");
    CHECK(claimed.idempotency_key == domain::idempotency_key(ledger.user, "BIRTHDAY", 2027y / 2 / 27));
    CHECK(claimed.trace == ledger.hints[0].trace);
    CHECK_FALSE(claimed.since_last_try);
    CHECK(ledger.message(ledger.user).status == "SENDING");
    CHECK(ledger.message(ledger.user).attempt == 1);
    CHECK(ledger.claim(ledger.hints).claimed.empty());  // a redelivered copy

    ledger.retry_now();
    const auto again = ledger.claim(ledger.hints).claimed;
    REQUIRE(again.size() == 1);
    CHECK(again[0].attempt == 2);
    CHECK(again[0].since_last_try);
}

TEST_CASE("a hint of an older attempt claims nothing") {
    Queued ledger;
    const auto stale = ledger.hints;
    ledger.claim(stale);
    ledger.retry_now();
    CHECK(ledger.claim(stale).claimed.empty());
    CHECK(ledger.message(ledger.user).status == "QUEUED");
}

TEST_CASE("a hint whose row is in any state but QUEUED claims nothing and changes nothing") {
    const std::string status =
        GENERATE("SCHEDULED", "SENDING", "RETRYING", "SENT", "FAILED", "CANCELLED", "MISSED", "UNKNOWN");
    Queued ledger;
    ledger.execute("UPDATE message_logs SET status = '" + status + "', due_at = CASE WHEN '" + status +
                   "' IN ('SCHEDULED', 'RETRYING') THEN app_now() END, attention_at = CASE WHEN '" + status +
                   "' IN ('FAILED', 'MISSED', 'UNKNOWN') THEN app_now() END");
    const auto before = ledger.value<std::string>("SELECT m::text FROM message_logs m");
    const auto report = ledger.claim(ledger.hints);
    CHECK(report.claimed.empty());
    CHECK(report.outdated.empty());
    CHECK(ledger.value<std::string>("SELECT m::text FROM message_logs m") == before);
}

TEST_CASE("a hint of a message that does not exist claims nothing") {
    Queued ledger;
    auto unknown = ledger.hints[0];
    unknown.message_id = ledger.user;
    CHECK(ledger.claim({unknown}).claimed.empty());
}

TEST_CASE("a claim waits for a dispatcher that has published and not committed", "[threads]") {
    Ledger ledger(nine);
    ledger.people_due(1);
    std::future<postgres::ClaimReport> claim;
    postgres::dispatch(ledger.pool, 10, [&](std::span<const domain::Delivery> deliveries) {
        const std::vector<domain::Delivery> hints(deliveries.begin(), deliveries.end());
        claim = std::async(std::launch::async, [&ledger, hints] { return ledger.claim(hints); });
        CHECK(support::eventually(
            [&] { return ledger.value<int>("SELECT count(*) FROM pg_locks WHERE NOT granted") > 0; }));
    });
    CHECK(claim.get().claimed.size() == 1);
}

TEST_CASE("hints given back wait for a dispatcher that has published and not committed", "[threads]") {
    Ledger ledger(nine);
    const auto user = ledger.people_due(1).front();
    std::future<int> given_back;
    postgres::dispatch(ledger.pool, 10, [&](std::span<const domain::Delivery> deliveries) {
        const std::vector<domain::Delivery> hints(deliveries.begin(), deliveries.end());
        given_back = std::async(std::launch::async, [&ledger, hints] {
            return postgres::give_back_hints(ledger.pool, hints, 30s);
        });
        CHECK(support::eventually(
            [&] { return ledger.value<int>("SELECT count(*) FROM pg_locks WHERE NOT granted") > 0; }));
    });
    CHECK(given_back.get() == 1);
    CHECK(ledger.message(user).status == "RETRYING");
    CHECK(ledger.message(user).due == nine + 30s);
}

TEST_CASE("a row that stays locked blocks its own hint and no other") {
    Ledger ledger(nine);
    ledger.people_due(8);
    const auto hints = ledger.dispatch();
    postgres::PoolSettings settings{.connection = ledger.database.settings(), .max = 1};
    settings.connection.lock_timeout = 50ms;
    postgres::Pool impatient(settings);
    const auto holder = ledger.pool.lease();
    postgres::Transaction holding(*holder);
    holding.execute("SELECT FROM message_logs WHERE id = '" + domain::to_string(hints[3].message_id) +
                    "' FOR UPDATE");
    const auto report = postgres::claim(impatient, hints, {.lease = 30s});
    CHECK(report.claimed.size() == 7);
    CHECK(report.blocked == std::vector{hints[3]});
}

TEST_CASE("of two workers with the same hint one claims", "[threads]") {
    Queued ledger;
    std::latch start(2);
    const auto race = [&] {
        start.arrive_and_wait();
        return ledger.claim(ledger.hints).claimed.size();
    };
    auto other = std::async(std::launch::async, race);
    CHECK(race() + other.get() == 1);
}

TEST_CASE("a message planned for the user as they were is not claimed but brought up to date") {
    Queued ledger;
    ledger.execute("UPDATE message_logs SET plan_version = 0, scheduled_send_time = '2027-02-27T08:00Z'");
    const auto report = ledger.claim(ledger.hints);
    CHECK(report.claimed.empty());
    CHECK(report.outdated.size() == 1);
    const auto message = ledger.message(ledger.user);
    CHECK(message.status == "SCHEDULED");
    CHECK(message.plan_version == 1);
    CHECK(message.due == nine);
}

TEST_CASE("a message of a user who went without a trace of it is cancelled at the claim") {
    Queued ledger;
    const std::string how = GENERATE("deleted_at = app_now()", "opted_out = true");
    ledger.execute("ALTER TABLE users DISABLE TRIGGER USER; UPDATE users SET " + how);
    CHECK(ledger.claim(ledger.hints).claimed.empty());
    CHECK(ledger.message(ledger.user).status == "CANCELLED");
}

TEST_CASE("a change of the name before the first claim is in the text and one after it is not") {
    Queued ledger;
    const auto rename = [&](const std::string& name) {
        ledger.change(ledger.user, [&](domain::UserFields& fields) {
            fields.first_name = name;
            fields.email = name + "@example.com";
        });
    };
    rename("Grace");
    CHECK(ledger.claim(ledger.hints).claimed.at(0).content == "Hey, Grace Lovelace it's your birthday");
    rename("Linus");
    ledger.retry_now();
    const auto claimed = ledger.claim(ledger.hints).claimed.at(0);
    CHECK(claimed.content == "Hey, Grace Lovelace it's your birthday");
    CHECK(claimed.recipient_email == "Grace@example.com");
}

TEST_CASE("a name that looks like a placeholder or a format stays a name") {
    auto person = Ledger::born(1990y / 2 / 27);
    person.first_name = "{last_name} %1$s %";
    person.last_name = "{years}";
    Queued ledger(person);
    CHECK(ledger.claim(ledger.hints).claimed.at(0).content ==
          "Hey, {last_name} %1$s % {years} it's your birthday");
}

TEST_CASE("an anniversary counts its years in words") {
    const int years = GENERATE(1, 7);
    auto person = Ledger::born(1990y / 6 / 1);
    person.anniversary_date = std::chrono::year(2027 - years) / 2 / 27;
    Queued ledger(person);
    CHECK(ledger.claim(ledger.hints).claimed.at(0).content ==
          std::string("Hey, Ada Lovelace it's your work anniversary! ") +
              (years == 1 ? "1 year" : "7 years") + " with us!");
}

TEST_CASE("a message is late once the recipient's own date has passed") {
    auto [now, text] = GENERATE(table<domain::Instant, std::string>(
        {{at(2027y / 2 / 27, 14h + 59min), "Happy birthday"}, {at(2027y / 2 / 27, 15h), "Belated"}}));
    Ledger ledger(at(2027y / 2 / 27, 0h));  // 09:00 in Tokyo
    ledger.execute("UPDATE message_types SET template = 'Happy birthday', late_template = 'Belated'");
    ledger.add(Ledger::born(1990y / 2 / 27, "Asia/Tokyo"));
    const auto hints = ledger.dispatch();
    ledger.set_clock(now);
    CHECK(ledger.claim(hints).claimed.at(0).content == text);
}

TEST_CASE("a message that waited in the queue longer than its type allows is not sent") {
    Queued ledger;
    const bool in_doubt = GENERATE(false, true);
    if (in_doubt) ledger.execute("UPDATE message_logs SET in_doubt = true");
    ledger.set_clock(nine + 48h + 1s);
    const auto report = ledger.claim(ledger.hints);
    CHECK(report.claimed.empty());
    CHECK(report.missed == 1);
    CHECK(ledger.message(ledger.user).status == (in_doubt ? "UNKNOWN" : "MISSED"));
    CHECK(ledger.message(ledger.user).needs_attention);
}

TEST_CASE("a message that cannot be rendered fails alone and the others are claimed") {
    Ledger ledger(nine);
    std::string name;
    for (int i = 0; i < 100; ++i) name += "N";
    std::string long_template;
    for (int i = 0; i < 150; ++i) long_template += "{full_name}";
    ledger.execute("UPDATE message_types SET template = '" + long_template + "'");
    ledger.people_due(4);
    auto person = Ledger::born(1990y / 2 / 27);
    person.first_name = person.last_name = name;
    const auto bad = ledger.add(person);
    const auto report = ledger.claim(ledger.dispatch());
    CHECK(report.claimed.size() == 4);
    CHECK(report.unrenderable.size() == 1);
    CHECK(ledger.message(bad).status == "FAILED");
    CHECK(ledger.message(bad).attempt == 1);
    CHECK(ledger.message(bad).needs_attention);
    CHECK_FALSE(ledger.message(bad).error.empty());
}

TEST_CASE("a frozen text is sent again even if the template could no longer be rendered") {
    Queued ledger;
    const auto content = ledger.claim(ledger.hints).claimed.at(0).content;
    std::string long_template;
    for (int i = 0; i < 150; ++i) long_template += "{full_name}";
    ledger.execute("UPDATE message_types SET template = '" + long_template + "'");
    ledger.change(ledger.user, [](domain::UserFields& fields) { fields.last_name = std::string(100, 'N'); });
    ledger.retry_now();
    CHECK(ledger.claim(ledger.hints).claimed.at(0).content == content);
}

TEST_CASE("what is given back waits in the ledger and its old hint finds nothing") {
    Queued ledger;
    CHECK(postgres::give_back_hints(ledger.pool, ledger.hints, 30s) == 1);
    CHECK(ledger.message(ledger.user).status == "RETRYING");
    CHECK(ledger.message(ledger.user).due == nine + 30s);
    CHECK(ledger.claim(ledger.hints).claimed.empty());
    CHECK(postgres::give_back_hints(ledger.pool, ledger.hints, 30s) == 0);

    ledger.set_clock(nine + 30s);
    const auto claimed = ledger.claim(ledger.dispatch()).claimed;
    CHECK(postgres::give_back_claims(ledger.pool, claimed, 1s) == 1);
    CHECK(ledger.message(ledger.user).due == nine + 31s);
    CHECK(ledger.message(ledger.user).failures == 0);
    CHECK(postgres::give_back_claims(ledger.pool, claimed, 1s) == 0);
}

TEST_CASE(
    "what was in doubt for longer than the provider knows its key goes to a person instead of out again") {
    Ledger ledger(nine);
    ledger.people_due(4);
    const auto claimed = ledger.claim(ledger.dispatch()).claimed;
    REQUIRE(claimed.size() == 4);
    const auto now = std::chrono::floor<std::chrono::microseconds>(std::chrono::system_clock::now());
    const auto attempt = [&](const postgres::Claimed& message, std::chrono::hours ago, bool in_doubt) {
        const postgres::Attempted attempted{
            .message_id = message.message_id,
            .delivery_date = message.delivery_date,
            .attempt = message.attempt,
            .outcome = {.ending = domain::Ending::retrying, .in_doubt = message.in_doubt || in_doubt},
            .body = {},
            .error = "why",
            .started_at = now - ago,
            .finished_at = now - ago};
        postgres::record_outcomes(ledger.pool, std::span(&attempted, 1));
    };
    attempt(claimed[0], 23h, true);
    attempt(claimed[1], 25h, true);
    attempt(claimed[2], 25h, false);
    // Tried in vain for long, and in doubt only since the last time.
    attempt(claimed[3], 25h, false);
    const auto again = ledger.claim(ledger.dispatch());
    CHECK(again.claimed.size() == 3);
    CHECK(again.key_expired == 1);
    CHECK(again.missed == 0);
    CHECK(again.outdated.empty());
    const auto expired = ledger.messages();
    const auto row = std::ranges::find(expired, claimed[1].message_id, &MessageRow::id);
    REQUIRE(row != expired.end());
    CHECK(row->status == "UNKNOWN");
    CHECK(row->needs_attention);
    CHECK(row->error == "the provider may no longer know its key");

    for (const auto& message : again.claimed)
        attempt(message, 1h, message.message_id == claimed[3].message_id);
    CHECK(ledger.claim(ledger.dispatch()).claimed.size() == 3);
    CHECK(ledger.count_by_status() == std::map<std::string, int>{{"SENDING", 3}, {"UNKNOWN", 1}});
}
