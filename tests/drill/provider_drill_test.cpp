// The provider misbehaves: nothing is lost, nothing is sent twice where it recognises keys, nothing is given
// up for an outage, and no answer stops the others.

#include <catch2/catch.hpp>

#include "tests/drill/faults.hpp"
#include "tests/libcore/http/tls_server.hpp"

namespace {

using namespace drill;

constexpr postgres::Statement clock_passed{"clock_passed", "SELECT app_now() > $1::timestamptz"};

int dead_letters(const System& system) {
    return static_cast<int>(system.broker.ready(system.broker.settings().topology.dead()).value_or(0));
}

}  // namespace

TEST_CASE("answers that nobody can read stop no message and stay on none of them as they came") {
    System system(Provider::naive);
    Faults faults(system);
    // A byte every 2 ms; a megabyte; NUL and bytes that are no UTF-8; JSON that is none, and that says other
    // things.
    system.provider.play(R"({"rules": [
        {"email": "ada1@", "drip_ms": 2},
        {"email": "ada2@", "body": "0123456789abcdef", "repeat": 65536},
        {"email": "ada3@", "body_hex": "6e6f00737563682fff80c3"},
        {"email": "ada4@", "body": "{\"success\":"},
        {"email": "ada5@", "body": "[[[[{\"success\": \"false\"}]]]]"},
        {"email": "ada6@", "times": 1, "status": 500, "body_hex": "6f6f00707320ff"},
        {"email": "ada7@", "times": 1, "status": 500, "body": "0123456789abcdef", "repeat": 65536},
        {"email": "ada8@", "times": 1, "success_false": true}]})");
    system.add({.count = 40});
    const auto scheduler = system.start("scheduler-svc");
    const auto worker = system.start("worker-svc", patient);
    system.set_clock(nine);
    REQUIRE(system.sent(40));
    CHECK(faults.verdict().holds());
    CHECK(system.requests().size() == 43);
    for (const auto& row : system.ledger()) {
        CHECK(row.response_body.size() <= 4096);
        CHECK_FALSE(row.in_doubt);
        if (row.email == "ada2@example.com") CHECK(row.response_body.starts_with("0123456789abcdef0123"));
        if (row.email == "ada3@example.com") CHECK(row.response_body == "no\uFFFDsuch/\uFFFD\uFFFD\uFFFD");
    }
}

TEST_CASE("a drip that outlasts the deadline leaves its message in doubt and holds up no other") {
    System system;
    Faults faults(system, Provider::idempotent);
    system.provider.play(R"({"rules": [{"email": "ada7@", "times": 1, "drip_ms": 100}]})");
    system.add({.count = 30});
    const auto scheduler = system.start("scheduler-svc");
    const auto worker = system.start("worker-svc");
    system.set_clock(nine, 10);
    faults.excuse("an answer came too late", [&] { REQUIRE(system.sent(30)); });
    CHECK(faults.verdict().holds());
    for (const auto& row : system.ledger()) CHECK(row.in_doubt == (row.email == "ada7@example.com"));
}

TEST_CASE("a provider that is silent after one request in five delivers each message once") {
    System system;
    Faults faults(system, Provider::idempotent);
    system.provider.play(R"({"seed": 7, "rules": [{"rate": 0.2, "delay_ms": 3000}]})");
    // Few: the silent ones end together, and five of these in a row open the circuit for 30 s.
    system.add({.count = 20});
    const auto scheduler = system.start("scheduler-svc");
    const auto worker = system.start("worker-svc");
    system.set_clock(nine, 10);
    faults.excuse("an answer came too late", [&] { REQUIRE(system.sent(20, 120s)); });
    const auto verdict = faults.verdict();
    CAPTURE(verdict);
    CHECK(verdict.holds());
    CHECK(verdict.repeats > 0);
}

TEST_CASE("a provider that takes five seconds for each answer gets each message once") {
    System system(Provider::naive);
    Faults faults(system);
    system.provider.play(R"({"rules": [{"delay_ms": 5000}]})");
    system.add({.count = 40});
    const auto scheduler = system.start("scheduler-svc");
    const auto worker = system.start("worker-svc", patient);
    system.set_clock(nine);
    REQUIRE(system.sent(40));
    CHECK(faults.verdict().holds());
    CHECK(system.requests().size() == 40);
    for (const auto& row : system.ledger()) CHECK(row.rescues == 0);
}

TEST_CASE("a provider with a certificate of another name gets nothing, and what waits spends no budget") {
    System system;
    Faults faults(system, Provider::idempotent);
    const support::Certificate certificate;
    const TlsServer wrong(certificate);
    system.add({.count = 3});
    const auto scheduler = system.start("scheduler-svc");
    {
        const auto deceived = system.start("worker-svc", {{"PROVIDER_URL", wrong.url("127.0.0.1")},
                                                          {"PROVIDER_CA_FILE", certificate.certificate()}});
        system.set_clock(nine, 10);
        REQUIRE(eventually([&] { return system.count(Status::retrying) == 3; }, 20s));
        for (const auto& row : system.ledger()) {
            CHECK(row.failures == 0);
            CHECK_FALSE(row.in_doubt);
            CHECK(row.error.starts_with("tls: "));
        }
    }
    const auto worker = system.start("worker-svc");
    REQUIRE(system.sent(3));
    CHECK(dead_letters(system) == 0);
    CHECK(faults.verdict().holds());
}

TEST_CASE("ten minutes without a provider at a hundred messages a second dead-letter none", "[.long]") {
    constexpr int people = 60'000;
    System system(Provider::naive);
    Faults faults(system);
    system.sql.execute("UPDATE message_types SET spread = '10 minutes' WHERE name = 'BIRTHDAY'");
    system.add({.count = people});
    system.provider.stop_listening();
    const auto scheduler = system.start("scheduler-svc");
    const auto worker = system.start("worker-svc", patient);
    system.set_clock(nine);
    REQUIRE(eventually(
        [&] { return system.sql.run(clock_passed, "2027-03-10T09:10:00Z").front().get<bool>(0); }, 11min));
    CHECK(system.count(Status::failed) == 0);
    CHECK(metric(scheduler, "messages_dispatched_total") < people + people / 10);
    system.provider.listen_again();
    REQUIRE(system.sent(people, 5min));
    CHECK(dead_letters(system) == 0);
    CHECK(faults.verdict().holds());
}

TEST_CASE("of a provider that fails every second request nothing is lost, and what is given up was refused",
          "[.long]") {
    constexpr int people = 40;
    System system(Provider::naive);
    // Of six tries few fail all by chance.
    system.provider.play(
        R"({"seed": 3, "rules": [{"email": "ada1@", "status": 500}, {"rate": 0.5, "status": 500}]})");
    system.add({.count = people});
    const auto scheduler = system.start("scheduler-svc");
    const auto worker = system.start("worker-svc", patient);
    system.set_clock(nine, 20);
    // Half of ten calls open the circuit, for 30 s each time.
    const auto is_over = [&] { return system.count(Status::sent) + system.count(Status::failed) == people; };
    REQUIRE(eventually(is_over, 15min));
    for (const auto& row : system.ledger()) {
        const auto requests = system.provider.by_key(row.key);
        const auto delivered = std::ranges::count(requests, true, &sink::Entry::delivered);
        CHECK(delivered == (row.status == Status::sent ? 1 : 0));
        if (row.status == Status::failed) CHECK(requests.size() == 6);
        CHECK(static_cast<std::size_t>(row.attempt) >= requests.size());
    }
    CHECK(system.count(Status::failed) > 0);
    CHECK(dead_letters(system) == system.count(Status::failed));
}
