#include <catch2/catch.hpp>

#include "libcore/postgres/record_table.hpp"
#include "tests/libcore/postgres/ledger.hpp"

namespace {

const auto nine = at(2027y / 2 / 27, 9h);

postgres::Attempted attempted(const domain::Uuid& id, int attempt, domain::Outcome outcome,
                              int http_status = 200) {
    return {.message_id = id,
            .delivery_date = 2027y / 2 / 27,
            .attempt = attempt,
            .outcome = outcome,
            .http_status = http_status,
            .body = "answer",
            .error = outcome.ending == domain::Ending::sent ? "" : "why",
            .started_at = nine,
            .finished_at = nine + 50ms};
}

const domain::Outcome sent{};
const domain::Outcome retry{.ending = domain::Ending::retrying, .failures = 1, .delay = 2s};
const domain::Outcome failed{.ending = domain::Ending::failed, .failures = 6};
const domain::Outcome unknown{.ending = domain::Ending::unknown, .in_doubt = true};

/// Messages in a worker's hands: SENDING, attempt 1.
struct Claimed : Ledger {
    std::vector<MessageRow> held;

    explicit Claimed(int count = 1) : Ledger(nine) {
        people_due(count);
        claim(dispatch());
        held = messages();
    }

    void make(const std::string& status, int attempt) {
        execute("UPDATE message_logs SET status = '" + status + "', attempt = " + std::to_string(attempt) +
                ", due_at = CASE WHEN '" + status + "' IN ('SCHEDULED', 'RETRYING') THEN app_now() END, " +
                "attention_at = CASE WHEN '" + status +
                "' IN ('FAILED', 'MISSED', 'UNKNOWN') THEN app_now() END");
    }

    std::size_t record(const postgres::Attempted& attempt) {
        return postgres::record_outcomes(pool, std::vector{attempt}).size();
    }

    std::string content() {
        return value<std::string>("SELECT string_agg(m::text, ';') FROM message_logs m");
    }
    int attempts() { return value<int>("SELECT count(*) FROM delivery_attempts"); }
};

}  // namespace

TEST_CASE("a first success is recorded with its answer and lateness and no further row") {
    Claimed ledger;
    ledger.set_clock(nine + 1s);
    const auto recorded =
        postgres::record_outcomes(ledger.pool, std::vector{attempted(ledger.held[0].id, 1, sent)});
    REQUIRE(recorded.size() == 1);
    CHECK(recorded[0].status == domain::Status::sent);
    CHECK(recorded[0].lateness == 1s);
    CHECK(ledger.messages()[0].status == "SENT");
    CHECK(ledger.value<domain::Instant>("SELECT actual_send_time FROM message_logs") == nine + 1s);
    CHECK(ledger.value<int>("SELECT api_response_code FROM message_logs") == 200);
    CHECK(ledger.attempts() == 0);
}

TEST_CASE("a retry is due after its delay and keeps its budget and its attempt") {
    Claimed ledger;
    CHECK(ledger.record(attempted(ledger.held[0].id, 1, retry, 500)) == 1);
    const auto message = ledger.messages()[0];
    CHECK(message.status == "RETRYING");
    CHECK(message.due == nine + 2s);
    CHECK(message.failures == 1);
    CHECK(ledger.attempts() == 1);
    CHECK(ledger.value<std::string>("SELECT concat_ws(' ', attempt, outcome, http_status, error) FROM "
                                    "delivery_attempts") == "1 RETRYING 500 why");
}

TEST_CASE("a failure and a doubt need a person") {
    Claimed ledger(2);
    ledger.record(attempted(ledger.held[0].id, 1, failed, 400));
    ledger.record(attempted(ledger.held[1].id, 1, unknown, 0));
    CHECK(ledger.count_by_status() == std::map<std::string, int>{{"FAILED", 1}, {"UNKNOWN", 1}});
    for (const auto& message : ledger.messages()) CHECK(message.needs_attention);
    CHECK(ledger.attempts() == 2);
}

TEST_CASE("doubt is never cleared") {
    Claimed ledger;
    auto doubtful = retry;
    doubtful.in_doubt = true;
    ledger.record(attempted(ledger.held[0].id, 1, doubtful, 0));
    ledger.claim(ledger.dispatch());
    ledger.make("SENDING", 2);
    ledger.record(attempted(ledger.held[0].id, 2, retry, 500));
    CHECK(ledger.messages()[0].in_doubt);
}

TEST_CASE("no failure of another attempt than the one that has the lease changes anything") {
    Claimed ledger;
    ledger.make("SENDING", 2);
    const auto before = ledger.content();
    const auto outcome = GENERATE(retry, failed, unknown);
    CHECK(ledger.record(attempted(ledger.held[0].id, 1, outcome)) == 0);
    CHECK(ledger.content() == before);
}

TEST_CASE("a success learnt late lands on a row that was given up") {
    const std::string status = GENERATE("SCHEDULED", "QUEUED", "RETRYING", "UNKNOWN");
    const int attempt = GENERATE(1, 3);
    Claimed ledger;
    ledger.make(status, attempt);
    CHECK(ledger.record(attempted(ledger.held[0].id, 1, sent)) == 1);
    const auto message = ledger.messages()[0];
    CHECK(message.status == "SENT");
    CHECK(message.attempt == attempt);
    CHECK_FALSE(message.due);
    CHECK_FALSE(message.needs_attention);
}

TEST_CASE("a success learnt while a later attempt is under way is kept, whatever that one comes to") {
    Claimed ledger;
    ledger.make("SENDING", 2);
    CHECK(ledger.record(attempted(ledger.held[0].id, 1, sent)) == 1);
    CHECK(ledger.messages()[0].status == "SENT");
    const auto outcome = GENERATE(sent, retry, failed, unknown);
    CHECK(ledger.record(attempted(ledger.held[0].id, 2, outcome)) == 0);
    CHECK(ledger.messages()[0].status == "SENT");
    CHECK(ledger.attempts() == 1);
}

TEST_CASE("a success and a later failure of one message in one batch leave it sent") {
    Claimed ledger(2);
    ledger.execute("UPDATE message_logs SET attempt = 2 WHERE id = '" + to_string(ledger.held[0].id) + "'");
    std::vector batch{attempted(ledger.held[0].id, 1, sent), attempted(ledger.held[0].id, 2, failed, 400),
                      attempted(ledger.held[1].id, 1, retry, 500)};
    if (GENERATE(true, false)) std::swap(batch[0], batch[1]);
    postgres::record_outcomes(ledger.pool, batch);
    CHECK(ledger.value<std::string>("SELECT status FROM message_logs WHERE id = $1", ledger.held[0].id) ==
          "SENT");
    CHECK(ledger.value<std::string>("SELECT status FROM message_logs WHERE id = $1", ledger.held[1].id) ==
          "RETRYING");
}

TEST_CASE("a success of the future or on a final row changes nothing") {
    const std::string status = GENERATE("SENT", "FAILED", "CANCELLED", "MISSED");
    Claimed ledger;
    ledger.make(status, 1);
    const auto before = ledger.content();
    CHECK(ledger.record(attempted(ledger.held[0].id, 1, sent)) == 0);
    CHECK(ledger.content() == before);
    ledger.make("QUEUED", 1);
    CHECK(ledger.record(attempted(ledger.held[0].id, 2, sent)) == 0);
}

TEST_CASE("a late failure never overwrites a row that has moved on") {
    const std::string status = GENERATE("SENT", "QUEUED", "RETRYING", "UNKNOWN", "CANCELLED");
    const auto outcome = GENERATE(retry, failed, unknown);
    Claimed ledger;
    ledger.make(status, 1);
    const auto before = ledger.content();
    CHECK(ledger.record(attempted(ledger.held[0].id, 1, outcome)) == 0);
    CHECK(ledger.content() == before);
}

TEST_CASE("a success after a failure is among the attempts") {
    Claimed ledger;
    ledger.record(attempted(ledger.held[0].id, 1, retry, 503));
    ledger.set_clock(nine + 2s);
    ledger.claim(ledger.dispatch());
    CHECK(ledger.record(attempted(ledger.held[0].id, 2, sent)) == 1);
    CHECK(ledger.value<std::string>(
              "SELECT string_agg(outcome, ' ' ORDER BY attempt) FROM delivery_attempts") == "RETRYING SENT");
}

TEST_CASE("recording the same outcome again is harmless") {
    Claimed ledger;
    const auto once = attempted(ledger.held[0].id, 1, retry, 500);
    CHECK(ledger.record(once) == 1);
    CHECK(ledger.record(once) == 0);
    CHECK(ledger.attempts() == 1);
}

TEST_CASE("a batch with one answer that cannot be stored records the others and that one's outcome") {
    Claimed ledger(5);
    std::vector<postgres::Attempted> batch;
    for (const auto& message : ledger.held) batch.push_back(attempted(message.id, 1, sent));
    batch[2].body = GENERATE(std::string("\xff\xfe"), std::string(5000, 'x'));
    CHECK(postgres::record_outcomes(ledger.pool, batch).size() == 5);
    CHECK(ledger.count_by_status() == std::map<std::string, int>{{"SENT", 5}});
    CHECK(ledger.value<int>("SELECT count(*) FROM message_logs WHERE api_response_body = 'answer'") == 4);
}

TEST_CASE("a suppressed message is cancelled for good and was no attempt") {
    Claimed ledger;
    CHECK(ledger.record(attempted(ledger.held[0].id, 1, {.ending = domain::Ending::suppressed}, 0)) == 1);
    CHECK(ledger.messages()[0].status == "CANCELLED");
    CHECK_FALSE(ledger.messages()[0].needs_attention);
    CHECK(ledger.attempts() == 0);
    const auto user = ledger.held[0].user;
    ledger.change(user, [](domain::UserFields& fields) { fields.timezone = "America/New_York"; });
    ledger.change(user, [](domain::UserFields& fields) { fields.opted_out = true; });
    ledger.change(user, [](domain::UserFields& fields) { fields.opted_out = false; });
    CHECK(ledger.message(user).status == "CANCELLED");
    CHECK(ledger.message(user).error == "why");
    CHECK(ledger.record(attempted(ledger.held[0].id, 1, retry)) == 0);
}
