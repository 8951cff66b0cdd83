// What an operator's SIGTERM does in the middle of work: nothing is lost, and nothing is sent twice.

#include <atomic>
#include <catch2/catch.hpp>
#include <thread>

#include "tests/support/http_client.hpp"
#include "tests/support/system/system.hpp"

namespace {

using namespace std::chrono_literals;
using domain::Status;
using support::Comparison;
using support::System;

constexpr auto grace = 10s;

const support::Environment settings{{"PROVIDER_TIMEOUT", "5s"},
                                    {"DELIVERY_LEASE", "20s"},
                                    {"SHUTDOWN_GRACE", "10s"},
                                    {"QUEUE_HIGH_WATER", "100"}};

const std::string nine = "2027-03-10T09:00:00Z";

}  // namespace

TEST_CASE("a worker that is told to stop finishes or gives back what it holds (H15)") {
    System system(System::Provider::naive);
    system.provider.play(R"({"rules": [{"delay_ms": 100}]})");
    system.add({.count = 400});
    const auto scheduler = system.start("scheduler-svc", settings);
    auto stopped = system.start("worker-svc", settings);
    system.set_clock(nine);
    REQUIRE(system.delivered(50));
    CHECK(stopped.stop(grace) == 0);
    CHECK(system.provider.summary().delivered < 400);
    CHECK(system.count(Status::sending) == 0);

    const auto worker = system.start("worker-svc", settings);
    REQUIRE(system.sent(400));
    CHECK(system.compare() == Comparison{.delivered = 400});
}

TEST_CASE("a scheduler that is told to stop leaves the rest to another one (H15)") {
    System system(System::Provider::naive);
    system.provider.play(R"({"rules": [{"delay_ms": 10}]})");
    system.add({.count = 1'000});
    auto stopped = system.start("scheduler-svc", settings);
    const auto worker = system.start("worker-svc", settings);
    system.set_clock(nine);
    REQUIRE(system.delivered(50));
    CHECK(stopped.stop(grace) == 0);
    CHECK(system.count(Status::scheduled) > 0);

    const auto scheduler = system.start("scheduler-svc", settings);
    REQUIRE(system.sent(1'000));
    CHECK(system.compare() == Comparison{.delivered = 1'000});
}

TEST_CASE("an API that is told to stop has stored every user it confirmed (H15)") {
    System system;
    auto api = system.start("api-svc", settings);
    std::atomic<int> confirmed = 0;
    std::thread client([&, port = api.port()] {
        support::HttpClient http(port);
        try {
            for (int n = 0;; ++n) {
                const auto body = R"({"firstName": "A", "lastName": "B", "timezone": "UTC", "email": "n)" +
                                  std::to_string(n) + R"(@example.com"})";
                const auto reply =
                    http.request("POST", "/api/v1/users", body, {{"Content-Type", "application/json"}});
                if (reply.status != 201) break;
                ++confirmed;
            }
        } catch (const std::runtime_error&) {  // it has stopped
        }
    });
    const bool working = support::eventually([&] { return confirmed > 100; });
    const int code = api.stop(grace);
    client.join();
    CHECK(working);
    CHECK(code == 0);
    static constexpr postgres::Statement count_users{"count_users", "SELECT count(*) FROM users"};
    // At most the request that was under way was stored without an answer.
    const int stored = system.sql.run(count_users).front().get<int>(0);
    CHECK(stored >= confirmed);
    CHECK(stored <= confirmed + 1);
}
