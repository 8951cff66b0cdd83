// RECIPIENT_ALLOWLIST on real services: nobody else is written to, and the provider's circuit knows nothing
// of it.

#include <catch2/catch.hpp>

#include "tests/services/drill.hpp"

namespace {

using namespace drill;
using Catch::Matchers::Contains;

const std::string to_ada3 = "ADA3@example.*,*@example.org";
const std::string suppressed = R"(deliveries_total{outcome="SUPPRESSED"})";

int attempts(System& system) {
    static constexpr postgres::Statement count{"count_attempts", "SELECT count(*) FROM delivery_attempts"};
    return system.sql.run(count).front().get<int>(0);
}

support::Finished check_config(support::Environment more) {
    more.merge(support::Environment{{"DATABASE_URL", "postgresql:///x"},
                                    {"AMQP_URL", "amqp://localhost"},
                                    {"PROVIDER_URL", "http://localhost"}});
    return support::run("worker-svc", {"--check-config"}, more);
}

}  // namespace

TEST_CASE("with an allow-list messages to others are cancelled and never posted") {
    System system(System::Provider::naive);
    system.add({.count = 200});
    system.sql.execute("UPDATE users SET email = 'eve@example.org' WHERE email = 'ada7@example.com'");
    const auto scheduler = system.start("scheduler-svc");
    const auto worker = system.start("worker-svc", {{"RECIPIENT_ALLOWLIST", to_ada3}});
    system.set_clock(nine);
    REQUIRE(eventually([&] { return system.count(Status::cancelled) == 198; }, 30s));
    REQUIRE(system.sent(2));
    CHECK(system.requests().size() == 2);
    for (const auto& row : system.ledger()) {
        const bool allowed = row.email == "ada3@example.com" || row.email == "eve@example.org";
        CHECK(row.status == (allowed ? Status::sent : Status::cancelled));
        CHECK(row.error == (allowed ? "" : "suppressed: the recipient is not in RECIPIENT_ALLOWLIST"));
        CHECK(row.failures == 0);
    }
    CHECK(metric(worker, suppressed) == 198);
    CHECK(metric(worker, R"(deliveries_total{outcome="SENT"})") == 2);
    CHECK(attempts(system) == 0);
    CHECK(system.broker.ready(system.broker.settings().topology.dead()) == 0U);
}

TEST_CASE("suppressed messages between them do not keep failures from opening the circuit") {
    System system;
    system.provider.play(R"({"rules": [{"status": 503}]})");
    system.add({.count = 50});
    system.sql.execute(
        "UPDATE users SET email = 'ada@' || id || '.example' WHERE last_name LIKE 'Number %0'");
    const auto scheduler = system.start("scheduler-svc");
    const auto worker =
        system.start("worker-svc", {{"RECIPIENT_ALLOWLIST", "ada@*.example"}, {"QUEUE_CONCURRENCY", "1"}});
    system.set_clock(nine);
    CHECK(eventually([&] { return metric(worker, "delivery_circuit_state") == 2; }, 30s));
    CHECK(system.requests().size() == 5);
    CHECK(metric(worker, suppressed) >= 5);
}

TEST_CASE("a message in doubt whose recipient is no longer allowed is left to a person") {
    System system;
    system.add({});
    system.sql.execute("UPDATE message_logs SET in_doubt = true, lease_until = clock_timestamp()");
    const auto scheduler = system.start("scheduler-svc");
    const auto worker = system.start("worker-svc", {{"RECIPIENT_ALLOWLIST", to_ada3}});
    system.set_clock(nine);
    REQUIRE(eventually([&] { return system.count(Status::unknown) == 1; }));
    CHECK_THAT(system.only_row().error, Contains("suppressed"));
    CHECK(system.requests().empty());
}

TEST_CASE("a list that is none is refused at the start and one in the wrong place is warned of") {
    CHECK(check_config({{"RECIPIENT_ALLOWLIST", "*@example.org"}}).exit_code == 0);
    for (const char* wrong : {"example.org", "*@example.org, ada@example.com", "*@example.org,"}) {
        const auto refused = check_config({{"RECIPIENT_ALLOWLIST", wrong}});
        CHECK(refused.exit_code == 2);
        CHECK_THAT(refused.output, Contains("RECIPIENT_ALLOWLIST"));
    }
    System system;
    // A production refuses a shifted clock.
    system.sql.execute("SELECT set_clock(NULL)");
    const auto log_of = [&](const char* app_env, const char* list) {
        auto worker = system.start("worker-svc", {{"APP_ENV", app_env}, {"RECIPIENT_ALLOWLIST", list}});
        return worker.process().log();
    };
    CHECK_THAT(log_of("staging", ""), Contains("RECIPIENT_ALLOWLIST is not set in staging"));
    CHECK_THAT(log_of("staging", "*@example.org"), !Contains("RECIPIENT_ALLOWLIST"));
    CHECK_THAT(log_of("production", "*@example.org"), Contains("RECIPIENT_ALLOWLIST is set in production"));
    CHECK_THAT(log_of("production", ""), !Contains("RECIPIENT_ALLOWLIST"));
}
