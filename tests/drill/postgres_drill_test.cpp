// The database crashes and is replaced under services at work: nothing that was confirmed is gone, nothing is
// lost.

#include <atomic>
#include <catch2/catch.hpp>
#include <mutex>
#include <thread>

#include "tests/drill/faults.hpp"
#include "tests/support/servers/postgres_server.hpp"

namespace {

using namespace drill;
using support::PostgresServer;

constexpr postgres::Statement stored{"stored", "SELECT count(*) FROM users WHERE email = ANY($1::text[])"};

/// Adds users over the API, one after the other, for as long as it lives; who got no answer is asked for
/// again.
class Newcomers {
public:
    explicit Newcomers(int port) : port_(port), thread_([this](const std::stop_token& stop) { add(stop); }) {}

    /// Whom the API has confirmed.
    std::vector<std::string> confirmed() const {
        const std::lock_guard lock(mutex_);
        return confirmed_;
    }

private:
    void add(const std::stop_token& stop) {
        for (int number = 0; !stop.stop_requested();) {
            const auto email = "new" + std::to_string(number) + "@example.com";
            if (!is_taken(email)) {
                std::this_thread::sleep_for(20ms);
                continue;
            }
            const std::lock_guard lock(mutex_);
            confirmed_.push_back(email);
            ++number;
        }
    }

    /// A conflict is the request whose answer was lost.
    bool is_taken(const std::string& email) const {
        const auto body = R"({"firstName": "New", "lastName": "Comer", "timezone": "UTC", "email": ")" +
                          email + R"(", "birthdayDate": "1990-07-11"})";
        try {
            const auto reply = support::HttpClient(port_).request("POST", "/api/v1/users", body,
                                                                  {{"Content-Type", "application/json"}});
            return reply.status == 201 || reply.status == 409;
        } catch (const std::runtime_error&) {
            return false;
        }
    }

    const int port_;
    mutable std::mutex mutex_;
    std::vector<std::string> confirmed_;
    std::jthread thread_;
};

}  // namespace

TEST_CASE("ten crashes of the database in the middle of deliveries lose no message") {
    constexpr int people = 3'000;
    PostgresServer server;
    System system(Provider::idempotent, {.database = server.url(), .broker = {}});
    Faults faults(system, Provider::idempotent);
    Hours hours(system, 1, people);
    const Environment shallow{{"QUEUE_HIGH_WATER", "200"}};
    auto one = system.start("scheduler-svc", shallow);
    auto other = system.start("scheduler-svc", shallow);
    auto worker = system.start("worker-svc", {{"QUEUE_CONCURRENCY", "10"}});
    REQUIRE(hours.under_way());
    for (int crash = 0; crash < 10; ++crash) {
        CAPTURE(crash);
        const auto before = system.provider.summary().delivered;
        faults.excuse("the database crashed", [&] {
            server.crash();
            server.start();
            // At work again before the next one.
            REQUIRE(system.delivered(std::min(people, static_cast<int>(before) + 100), 60s));
        });
    }
    REQUIRE(system.sent(people, 90s));
    const auto verdict = faults.verdict();
    CAPTURE(verdict);
    CHECK(verdict.holds());
    for (auto* service : {&one, &other, &worker}) CHECK(service->process().running());
}

TEST_CASE("after a failover to the standby all that was confirmed is there and every message goes out once") {
    constexpr int people = 1'000;
    PostgresServer primary;
    const PostgresServer standby(PostgresServer::StandbyOf{primary});
    System system(Provider::idempotent,
                  {.database = PostgresServer::url_of_either(primary, standby), .broker = {}});
    Faults faults(system, Provider::idempotent);
    Hours hours(system, 1, people);
    const auto api = system.start("api-svc");
    const auto scheduler = system.start("scheduler-svc", {{"QUEUE_HIGH_WATER", "200"}});
    const auto worker = system.start("worker-svc", {{"QUEUE_CONCURRENCY", "10"}});
    const Newcomers newcomers(api.port());
    REQUIRE(hours.under_way());
    REQUIRE(eventually([&] { return newcomers.confirmed().size() >= 20; }, 20s));
    std::vector<std::string> before;
    faults.excuse("the primary died", [&] {
        primary.crash();
        before = newcomers.confirmed();
        standby.promote();
        REQUIRE(system.sent(people, 60s));
    });
    REQUIRE(eventually([&] { return newcomers.confirmed().size() > before.size() + 20; }, 30s));
    const auto confirmed = newcomers.confirmed();
    CHECK(system.sql.run(stored, confirmed).front().get<int>(0) == static_cast<int>(confirmed.size()));
    // The newcomers' own birthdays are in July.
    const auto verdict = faults.verdict();
    CAPTURE(verdict);
    CHECK(verdict.holds());
    CHECK(verdict.messages == people);
}
