#include <catch2/catch.hpp>

#include "libcore/postgres/record_table.hpp"
#include "libcore/postgres/rescue_table.hpp"
#include "tests/libcore/postgres/ledger.hpp"

namespace {

const auto nine = at(2027y / 2 / 27, 9h);

struct Published : Ledger {
    std::vector<domain::Delivery> hints;
    postgres::RescuePolicy policy{.queue_is_shallow = true};

    explicit Published(int count = 1) : Ledger(nine) {
        people_due(count);
        hints = dispatch();
    }

    void age_batches(const std::string& by) {
        execute("UPDATE dispatches SET at = at - interval '" + by + "', looked_at = looked_at - interval '" +
                by + "'");
    }

    void end_leases() {
        execute(
            "UPDATE message_logs SET lease_until = clock_timestamp() - interval '1 s' "
            "WHERE status = 'SENDING'");
    }

    postgres::RescueReport rescue() { return postgres::rescue(pool, policy); }
    int batches() { return value<int>("SELECT count(*) FROM dispatches"); }
    int remembered() { return value<int>("SELECT coalesce(sum(cardinality(ids)), 0)::int FROM dispatches"); }
};

}  // namespace

TEST_CASE("a lease that ran out is taken back in doubt and due at once") {
    Published ledger;
    ledger.claim(ledger.hints);
    ledger.end_leases();
    ledger.age_batches("31 s");
    CHECK(ledger.rescue().retried == 1);
    const auto message = ledger.messages()[0];
    CHECK(message.status == "RETRYING");
    CHECK(message.in_doubt);
    CHECK(message.due == nine);
    CHECK(message.failures == 0);
    CHECK(ledger.batches() == 0);
    CHECK(ledger.claim(ledger.dispatch()).claimed.at(0).attempt == 2);
}

TEST_CASE("a message that loses its lease again and again is left to a person") {
    Published ledger;
    for (int lost = 0; lost < ledger.policy.max_rescues; ++lost) {
        ledger.claim(ledger.hints);
        ledger.end_leases();
        ledger.age_batches("31 s");
        CHECK(ledger.rescue().retried == 1);
        ledger.hints = ledger.dispatch();
    }
    ledger.claim(ledger.hints);
    ledger.end_leases();
    ledger.age_batches("31 s");
    CHECK(ledger.rescue().parked == 1);
    CHECK(ledger.messages()[0].status == "UNKNOWN");
    CHECK(ledger.messages()[0].needs_attention);
    CHECK(ledger.batches() == 0);
}

TEST_CASE(
    "what a lost worker may have sent is remembered from its lease's beginning, until it speaks itself") {
    Published ledger;
    const auto first = ledger.claim(ledger.hints).claimed.at(0);
    ledger.end_leases();
    ledger.age_batches("31 s");
    ledger.rescue();
    const auto attempts = [&] {
        return ledger.value<std::string>(
            "SELECT string_agg(concat_ws(' ', attempt, outcome, error), ', ' ORDER BY attempt) "
            "FROM delivery_attempts");
    };
    CHECK(attempts() == "1 RETRYING the worker was lost during the attempt");
    CHECK(
        ledger.value<bool>("SELECT started_at BETWEEN clock_timestamp() - interval '2 minutes' "
                           "AND clock_timestamp() - interval '31 s' FROM delivery_attempts"));

    // Later attempts, the last of them lost too, do not make its key younger.
    ledger.execute("UPDATE delivery_attempts SET started_at = clock_timestamp() - interval '25 hours'");
    ledger.hints = ledger.dispatch();
    CHECK(ledger.claim(ledger.hints, {.lease = 30s, .key_life = 26h}).claimed.size() == 1);
    ledger.end_leases();
    ledger.age_batches("31 s");
    ledger.rescue();
    const auto report = ledger.claim(ledger.dispatch());
    CHECK(report.claimed.empty());
    CHECK(report.key_expired == 1);

    postgres::record_outcomes(
        ledger.pool, std::vector<postgres::Attempted>{{.message_id = first.message_id,
                                                       .delivery_date = first.delivery_date,
                                                       .attempt = 1,
                                                       .outcome = {.ending = domain::Ending::retrying},
                                                       .http_status = 503,
                                                       .body = {},
                                                       .error = "why"}});
    CHECK(attempts() == "1 RETRYING why, 2 RETRYING the worker was lost during the attempt");
    CHECK(ledger.messages()[0].status == "UNKNOWN");
}

TEST_CASE("a first success that was waited for in vain replaces what was remembered of it") {
    Published ledger;
    const auto first = ledger.claim(ledger.hints).claimed.at(0);
    ledger.end_leases();
    ledger.age_batches("31 s");
    ledger.rescue();
    postgres::record_outcomes(ledger.pool,
                              std::vector<postgres::Attempted>{{.message_id = first.message_id,
                                                                .delivery_date = first.delivery_date,
                                                                .attempt = 1,
                                                                .outcome = {.ending = domain::Ending::sent},
                                                                .http_status = 202,
                                                                .body = {},
                                                                .error = {}}});
    CHECK(ledger.messages()[0].status == "SENT");
    CHECK(ledger.value<std::string>("SELECT string_agg(concat_ws(' ', attempt, outcome, http_status), ', ') "
                                    "FROM delivery_attempts") == "1 SENT 202");
}

TEST_CASE("parking leaves every lost lease to a person") {
    Published ledger;
    ledger.policy.in_doubt = domain::InDoubt::park;
    ledger.claim(ledger.hints);
    ledger.end_leases();
    ledger.age_batches("31 s");
    CHECK(ledger.rescue().parked == 1);
    CHECK(ledger.messages()[0].status == "UNKNOWN");
    CHECK(ledger.dispatch().empty());
}

TEST_CASE("the lease of a live worker is left alone however old its batch") {
    Published ledger;
    ledger.claim(ledger.hints);
    ledger.age_batches("1 hour");
    const auto report = ledger.rescue();
    CHECK(report.retried + report.parked + report.requeued == 0);
    CHECK(ledger.messages()[0].status == "SENDING");
    CHECK(ledger.remembered() == 1);
}

TEST_CASE("a clock that races does not end leases or age batches") {
    Published ledger;
    ledger.claim(ledger.hints);
    ledger.set_clock(nine, 1'000'000);
    const auto report = ledger.rescue();
    CHECK(report.retried + report.parked + report.requeued == 0);
    CHECK(ledger.messages()[0].status == "SENDING");
}

TEST_CASE("a hint is lost only when its batch is old and the queue is shallow") {
    Published ledger;
    ledger.age_batches("14 minutes");
    CHECK(ledger.rescue().requeued == 0);
    ledger.age_batches("2 minutes");
    ledger.policy.queue_is_shallow = false;
    CHECK(ledger.rescue().requeued == 0);
    CHECK(ledger.messages()[0].status == "QUEUED");
    ledger.policy.queue_is_shallow = true;
    CHECK(ledger.rescue().requeued == 1);
    CHECK(ledger.messages()[0].status == "SCHEDULED");
    CHECK(ledger.messages()[0].due == nine);
    CHECK_FALSE(ledger.messages()[0].in_doubt);
}

TEST_CASE("a row that was queued anew belongs to its new batch alone") {
    Published ledger(2);
    ledger.age_batches("16 minutes");
    CHECK(ledger.rescue().requeued == 2);
    CHECK(ledger.dispatch().size() == 2);
    CHECK(ledger.rescue().requeued == 0);
    CHECK(ledger.batches() == 1);
    CHECK(ledger.count_by_status() == std::map<std::string, int>{{"QUEUED", 2}});
}

TEST_CASE("batches shrink to what is in flight and vanish with the last") {
    Published ledger(3);
    const auto claimed = ledger.claim({ledger.hints[0], ledger.hints[1]}).claimed;
    const auto record = [&](const postgres::Claimed& message) {
        postgres::record_outcomes(ledger.pool,
                                  std::vector<postgres::Attempted>{{.message_id = message.message_id,
                                                                    .delivery_date = message.delivery_date,
                                                                    .attempt = message.attempt,
                                                                    .outcome = {},
                                                                    .http_status = 200,
                                                                    .body = {},
                                                                    .error = {}}});
    };
    ledger.rescue();
    CHECK(ledger.remembered() == 3);  // too young to look at
    ledger.age_batches("31 s");
    record(claimed[0]);
    ledger.rescue();
    CHECK(ledger.remembered() == 2);
    record(claimed[1]);
    for (const auto& last : ledger.claim({ledger.hints[2]}).claimed) record(last);
    ledger.rescue();
    CHECK(ledger.batches() == 0);
}

TEST_CASE("old batches that wait do not hide a newer one whose worker was lost") {
    Published ledger;
    ledger.policy.queue_is_shallow = false;
    ledger.policy.batches = 1;
    ledger.age_batches("1 hour");
    ledger.people_due(1);
    ledger.claim(ledger.dispatch());
    ledger.end_leases();
    ledger.age_batches("31 s");
    CHECK(ledger.rescue().retried == 0);
    CHECK(ledger.rescue().retried == 1);
    CHECK(ledger.remembered() == 1);
}
