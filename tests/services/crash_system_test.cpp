// kill -9 where a drill cannot aim: while others wait for a COMMIT, and of the API.

#include <atomic>
#include <catch2/catch.hpp>
#include <optional>
#include <thread>

#include "tests/services/drill.hpp"

using namespace drill;

TEST_CASE("a scheduler killed after the publish and before its COMMIT loses nothing (H06)") {
    System system(System::Provider::naive);
    // Its COMMIT reaches the server and waits there for us.
    system.sql.execute(R"sql(
        CREATE FUNCTION wait_for_the_test() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN PERFORM pg_advisory_xact_lock_shared(1); RETURN NULL; END $$;
        CREATE CONSTRAINT TRIGGER hold_commit AFTER INSERT ON dispatches DEFERRABLE INITIALLY DEFERRED
            FOR EACH ROW EXECUTE FUNCTION wait_for_the_test();
        SELECT pg_advisory_lock(1))sql");
    system.add({.count = 3});
    auto killed = system.start("scheduler-svc");
    const auto worker = system.start("worker-svc");
    system.set_clock(nine);
    // The worker has the hints, and waits for the locks of the transaction that published them.
    REQUIRE(eventually([&] { return metric(worker, "claims_blocked_total") > 0; }));
    CHECK(system.count(Status::scheduled) == 3);
    killed.kill();
    system.sql.execute(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
        "WHERE datname = current_database() AND application_name = 'scheduler-svc'");
    system.sql.execute("DROP TRIGGER hold_commit ON dispatches");
    // The hints that were published find nothing to claim: their dispatch never happened.
    REQUIRE(eventually([&] { return metric(worker, nothing_to_claim) == 3; }));
    CHECK(system.count(Status::scheduled) == 3);
    CHECK(system.requests().empty());

    const auto scheduler = system.start("scheduler-svc");
    REQUIRE(system.sent(3));
    CHECK(system.requests().size() == 3);
    CHECK(system.compare() == Comparison{.delivered = 3});
}

TEST_CASE("an API killed in the middle of 2000 deliveries loses no user it confirmed") {
    constexpr int newcomers = 300;
    System system;
    system.provider.play(R"({"rules": [{"delay_ms": 10}]})");
    const auto scheduler = system.start("scheduler-svc");
    const auto worker = system.start("worker-svc");
    std::optional<support::Service> api;
    api.emplace("api-svc", system.environment());
    system.add({.count = 2'000});
    system.set_clock(nine);
    REQUIRE(system.delivered(100));

    std::optional<support::HttpClient> client(std::in_place, api->port());
    std::atomic<int> stored = 0;
    std::thread killer([&] {
        eventually([&] { return stored >= newcomers / 2; });
        api->process().send_signal(SIGKILL);
    });
    int kills = 0;
    for (int n = 0; stored < newcomers; ++n) {
        const auto body = R"({"firstName": "New", "lastName": "Comer", "timezone": "UTC", "email": "new)" +
                          std::to_string(stored) + R"(@example.com", "birthdayDate": "1990-03-11"})";
        try {
            const auto reply =
                client->request("POST", "/api/v1/users", body, {{"Content-Type", "application/json"}});
            // A conflict is the request whose answer the crash took.
            if (reply.status != 201 && (reply.status != 409 || kills == 0)) break;
            ++stored;
        } catch (const std::runtime_error&) {
            if (kills++ > 0) break;
            killer.join();
            api->process().wait_for_exit();
            api.emplace("api-svc", system.environment());
            client.emplace(api->port());
        }
    }
    if (killer.joinable()) killer.join();
    REQUIRE(stored == newcomers);
    CHECK(kills == 1);
    REQUIRE(system.sent(2'000));
    system.set_clock("2027-03-11T08:59:59Z");
    REQUIRE(system.sent(2'000 + newcomers));
    CHECK(system.compare() == Comparison{.delivered = 2'000 + newcomers});
}
