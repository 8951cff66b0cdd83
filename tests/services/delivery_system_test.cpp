// The provider's answers, and what becomes of the messages: many at once, refused, postponed, unrenderable.

#include <catch2/catch.hpp>
#include <deque>

#include "libcore/json/delivery.hpp"
#include "libcore/postgres/record_table.hpp"
#include "libcore/postgres/transaction.hpp"
#include "tests/libcore/http/raw_server.hpp"
#include "tests/services/drill.hpp"

namespace {

using namespace drill;

// For providers that count every request: nothing is lost by a slow machine that must not be sent again.
const support::Environment patient{{"PROVIDER_TIMEOUT", "10s"}, {"DELIVERY_LEASE", "30s"}};

std::string attempts(System& system) {
    static constexpr postgres::Statement statement{
        "attempts",
        "SELECT coalesce(string_agg(outcome || ' ' || coalesce(http_status::text, '-'), ', ' ORDER BY "
        "attempt), "
        "'') FROM delivery_attempts"};
    return system.sql.run(statement).front().get<std::string>(0);
}

std::chrono::duration<double> between(const System& system, const sink::Entry& one, const sink::Entry& next) {
    return system.instant_of(next) - system.instant_of(one);
}

}  // namespace

TEST_CASE("10000 messages due in one minute are all sent once (H05)") {
    System system(System::Provider::naive);
    system.add({.count = 10'000});
    const auto scheduler = system.start("scheduler-svc", patient);
    const auto worker = system.start("worker-svc", patient);
    system.set_clock(nine);
    REQUIRE(system.sent(10'000));
    CHECK(system.compare() == Comparison{.delivered = 10'000});
}

TEST_CASE("two schedulers and three workers send no message twice (H08)") {
    System system(System::Provider::naive);
    system.add({.count = 5'000});
    std::deque<support::Service> services;
    for (const auto* program : {"scheduler-svc", "scheduler-svc", "worker-svc", "worker-svc", "worker-svc"}) {
        services.emplace_back(program, system.environment(patient));
    }
    system.set_clock(nine);
    REQUIRE(system.sent(5'000));
    CHECK(system.compare() == Comparison{.delivered = 5'000});
    for (auto worker = services.begin() + 2; worker != services.end(); ++worker) {
        CHECK(metric(*worker, R"(deliveries_total{outcome="SENT"})") > 0);
    }
}

TEST_CASE("a message with several hints is sent once though its row stays locked (H08)") {
    System system(System::Provider::naive);
    system.add({});
    system.set_clock(nine);
    const auto worker = system.start("worker-svc");
    system.sql.execute("UPDATE message_logs SET status = 'QUEUED', due_at = NULL, attempt = 1, trace = 'a'");
    auto pool = system.database.pool();
    const auto holder = pool.lease();
    std::optional<postgres::Transaction> holding(*holder);
    holding->execute("SELECT FROM message_logs FOR UPDATE");
    auto hint = system.only_row().hint;
    for (const int attempt : {0, 1, 1, 0}) {
        hint.attempt = attempt;
        system.broker.put(system.queue(), json::encode(hint));
    }
    CHECK(eventually([&] { return metric(worker, "claims_blocked_total") > 1; }));
    holding->commit();
    REQUIRE(system.sent(1));
    CHECK(eventually([&] { return metric(worker, nothing_to_claim) == 3; }));
    CHECK(system.compare() == Comparison{.delivered = 1});
}

TEST_CASE("a scheduler with nothing to do looks seldom, and finds at once what is due of a sudden") {
    System system;
    system.add({});
    const auto scheduler = system.start("scheduler-svc", patient);
    const auto worker = system.start("worker-svc", patient);
    const auto rounds = [&] {
        return metric(scheduler, R"(loop_rounds_total{loop="dispatcher",result="ok"})");
    };
    REQUIRE(eventually([&] { return rounds() > 0; }));
    const auto watched_from = std::chrono::steady_clock::now();
    const double before = rounds();
    REQUIRE(eventually([&] { return rounds() >= before + 4; }));
    // Ten times as many were a poll of each 50 ms.
    CHECK(std::chrono::steady_clock::now() - watched_from > 1s);

    system.set_clock(nine);
    const auto due_at = std::chrono::steady_clock::now();
    REQUIRE(system.delivered(1));
    CHECK(std::chrono::steady_clock::now() - due_at < 5s);
}

TEST_CASE("a late outcome never overwrites a final one (H08)") {
    System system;
    system.add({});
    auto pool = system.database.pool();
    const auto row = system.only_row();
    const auto record = [&](int attempt, domain::Ending ending) {
        const postgres::Attempted attempted{.message_id = row.hint.message_id,
                                            .delivery_date = row.hint.delivery_date,
                                            .attempt = attempt,
                                            .outcome = {.ending = ending},
                                            .body = {},
                                            .error = {}};
        return postgres::record_outcomes(pool, std::span(&attempted, 1)).size();
    };
    system.sql.execute("UPDATE message_logs SET status = 'SENDING', due_at = NULL, attempt = 2");

    CHECK(record(1, domain::Ending::failed) == 0);
    CHECK(system.only_row().status == Status::sending);
    CHECK(record(2, domain::Ending::sent) == 1);
    for (const auto late :
         {domain::Ending::failed, domain::Ending::retrying, domain::Ending::unknown, domain::Ending::sent}) {
        CHECK(record(1, late) == 0);
        CHECK(record(2, late) == 0);
        CHECK(record(3, late) == 0);
    }
    CHECK(system.only_row().status == Status::sent);
}

TEST_CASE("a message refused three times is retried with growing delays until it is sent (H09)") {
    System system;
    system.provider.play(R"({"rules": [{"times": 3, "status": 500, "body": "busy"}]})");
    system.add({});
    const auto scheduler = system.start("scheduler-svc");
    const auto worker = system.start("worker-svc");
    system.set_clock(nine, 20);
    REQUIRE(system.sent(1));

    const auto row = system.only_row();
    CHECK(row.attempt == 4);
    CHECK(row.failures == 3);
    CHECK(row.response_code == 200);
    CHECK(attempts(system) == "RETRYING 500, RETRYING 500, RETRYING 500, SENT 200");
    const auto requests = system.requests();
    REQUIRE(requests.size() == 4);
    CHECK(between(system, requests[0], requests[1]) >= 2s);
    CHECK(between(system, requests[1], requests[2]) >= 4s);
    CHECK(between(system, requests[2], requests[3]) >= 8s);
}

TEST_CASE("the sixth refusal is final and bounded retries end in FAILED (H09)") {
    System system;
    system.provider.play(R"({"rules": [{"status": 500, "body": "broken"}]})");
    system.add({});
    const auto scheduler = system.start("scheduler-svc");
    const auto worker = system.start("worker-svc");
    system.set_clock(nine, 60);
    REQUIRE(eventually([&] { return system.count(Status::failed) == 1; }, 30s));
    const auto row = system.only_row();
    CHECK(row.failures == 6);
    CHECK(row.response_code == 500);
    CHECK(row.response_body == "broken");
    CHECK(system.requests().size() == 6);
    CHECK(eventually([&] { return system.broker.ready(system.broker.settings().topology.dead()) == 1U; }));
}

TEST_CASE("Retry-After is waited for (H09)") {
    System system;
    system.provider.play(R"({"rules": [{"times": 1, "status": 429, "headers": {"Retry-After": "4"}}]})");
    system.add({});
    const auto scheduler = system.start("scheduler-svc");
    const auto worker = system.start("worker-svc");
    system.set_clock(nine);
    REQUIRE(system.sent(1));
    const auto requests = system.requests();
    REQUIRE(requests.size() == 2);
    CHECK(between(system, requests[0], requests[1]) >= 4s);
    CHECK(system.only_row().attempt == 2);
}

TEST_CASE("a refused message keeps the provider's words and stops no other (H09 H17)") {
    System system;
    system.provider.play(R"({"rules": [{"email": "ada7@", "status": 400, "body": "no such mailbox"}]})");
    system.add({.count = 20});
    const auto scheduler = system.start("scheduler-svc");
    const auto worker = system.start("worker-svc");
    system.set_clock(nine);
    REQUIRE(system.sent(19));
    REQUIRE(eventually([&] { return system.count(Status::failed) == 1; }));
    for (const auto& row : system.ledger()) {
        if (row.email != "ada7@example.com") continue;
        CHECK(row.status == Status::failed);
        CHECK(row.attempt == 1);
        CHECK(row.response_code == 400);
        CHECK(row.response_body == "no such mailbox");
    }
    CHECK(eventually([&] { return system.broker.ready(system.broker.settings().topology.dead()) == 1U; }));
    CHECK(system.broker.ready(system.queue()) == 0U);
}

TEST_CASE("an answer that is not text is kept as far as it is and stops no other (H17)") {
    using namespace std::string_literals;
    System system;
    const auto body = "no\0such\xFF mailbox"s;
    const RawServer provider([&](tcp::socket& socket) {
        for (;;) {
            const bool refused = read_request(socket).find("ada7@") != std::string::npos;
            write_bytes(socket, refused ? "HTTP/1.1 400 Bad Request\r\nContent-Length: " +
                                              std::to_string(body.size()) + "\r\n\r\n" + body
                                        : "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        }
    });
    system.add({.count = 20});
    const auto scheduler = system.start("scheduler-svc");
    const auto worker =
        system.start("worker-svc", {{"PROVIDER_URL", provider.url()}, {"QUEUE_CONCURRENCY", "1"}});
    system.set_clock(nine);
    REQUIRE(
        eventually([&] { return system.count(Status::sent) == 19 && system.count(Status::failed) == 1; }));
    for (const auto& row : system.ledger()) {
        if (row.status == Status::failed) CHECK(row.response_body == "no\uFFFDsuch\uFFFD mailbox");
    }
}

TEST_CASE("a text that cannot be rendered stops no other (H17)") {
    System system;
    system.add({.count = 20});
    // Only for a long name is this longer than the ledger takes.
    system.sql.execute(R"sql(
        INSERT INTO message_types (name, template, created_at) VALUES ('SHOUT', repeat('{full_name}', 100), 'epoch');
        INSERT INTO user_occasions (user_id, message_type, date) SELECT id, 'SHOUT', '1990-03-10' FROM users;
        UPDATE users SET first_name = repeat('a', 100), last_name = repeat('b', 100)
        WHERE email = 'ada7@example.com')sql");
    const auto scheduler = system.start("scheduler-svc");
    const auto worker = system.start("worker-svc");
    system.set_clock(nine);
    REQUIRE(system.sent(39));
    REQUIRE(eventually([&] { return system.count(Status::failed) == 1; }));
    for (const auto& row : system.ledger()) {
        const bool bad = row.email == "ada7@example.com" && row.key.find(":SHOUT:") != std::string::npos;
        CHECK((row.status == Status::failed) == bad);
        CHECK(row.error.empty() == !bad);
    }
}

TEST_CASE("ten minutes without a provider fail none of three messages (H16)") {
    System system(System::Provider::naive);
    system.add({.count = 3});
    system.provider.stop_listening();
    const auto scheduler = system.start("scheduler-svc");
    const auto worker = system.start("worker-svc");
    system.set_clock(nine, 40);
    // Ten minutes of the ledger; the worker's circuit goes by real time.
    REQUIRE(eventually([&] { return metric(worker, "delivery_circuit_state") == 2; }, 30s));
    static constexpr postgres::Statement ten_past{"ten_past", "SELECT app_now() > '2027-03-10T09:10:00Z'"};
    REQUIRE(eventually([&] { return system.sql.run(ten_past).front().get<bool>(0); }, 30s));
    for (const auto& row : system.ledger()) {
        CHECK(row.status != Status::failed);
        CHECK(row.attempt >= 1);
        CHECK(row.failures <= 1);
    }
    system.provider.listen_again();
    REQUIRE(system.sent(3));
    CHECK(system.compare() == Comparison{.delivered = 3});
}
