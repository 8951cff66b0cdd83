// The API with a read replica, as its clients meet it: a real one, whose replay is paused, and which is
// killed.

#include <atomic>
#include <catch2/catch.hpp>
#include <future>
#include <thread>

#include "libcore/postgres/log_position.hpp"
#include "libcore/postgres/transaction.hpp"
#include "libcore/postgres/url.hpp"
#include "services/api/routes.hpp"
#include "tests/services/api_under_test.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/servers/postgres_server.hpp"
#include "tests/support/system/system.hpp"

using namespace tests;
using namespace std::chrono_literals;
using Catch::Matchers::Contains;

namespace {

const std::string nothing_after = "FFFFFFFF/FFFFFFFF";

constexpr postgres::Statement waiting_for_locks{
    "waiting_for_locks",
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"};

struct Replicated {
    explicit Replicated(support::Environment settings = {}) : more(std::move(settings)) {
        REQUIRE(support::eventually([&] { return sum("db_replica_in") == 1; }));
    }

    HttpReply call(const std::string& method, const std::string& target, const std::string& body = {},
                   const std::string& after = {}) {
        support::HttpHeaders headers{{"Authorization", "Bearer " + api.key()}};
        if (!body.empty()) headers.emplace_back("Content-Type", "application/json");
        if (!after.empty()) headers.emplace_back("X-Read-After", after);
        return api.client().request(method, target, body, headers);
    }

    support::Environment with_replica(support::Environment environment) const {
        environment["READ_REPLICA_URL"] =
            support::with_database(replica.url(), postgres::options_of_url(database.url()).at("dbname"));
        return environment;
    }

    /// Over all labels that `with` is among.
    double sum(const std::string& metric, const std::string& with = {}) {
        std::istringstream lines(support::http_get(api.service().ops_port(), "/metrics").body);
        double sum = 0;
        for (std::string line; std::getline(lines, line);)
            if (line.starts_with(metric + "{") && line.find(with) != std::string::npos)
                sum += std::stod(line.substr(line.rfind(' ')));
        return sum;
    }
    std::string health() { return support::http_get(api.service().ops_port(), "/health/database").body; }
    double answered_by_primary() { return sum("db_reads_total", "\"primary\""); }

    support::PostgresServer primary;
    support::PostgresServer replica{{.primary = primary, .in_step = false}};
    TestDatabase database{primary.url()};
    support::Environment more{};
    Api api{database.url(), with_replica(more)};
};

/// Now it replays, now it does not, never for as long as would put it out for good.
class Stutter {
public:
    explicit Stutter(const support::PostgresServer& replica)
        : thread_([&replica](const std::stop_token& stop) {
              while (!stop.stop_requested()) {
                  replica.pause_replay();
                  std::this_thread::sleep_for(150ms);
                  replica.resume_replay();
                  std::this_thread::sleep_for(50ms);
              }
          }) {}

private:
    std::jthread thread_;
};

/// The pattern with what is there, and what its query must have.
std::string target_of(std::string_view pattern, const std::string& user, const std::string& message) {
    std::string target(pattern);
    for (const auto& [placeholder, value] :
         {std::pair<std::string, std::string>("users/{id}", "users/" + user),
          {"messages/{id}", "messages/" + message},
          {"{name}", "BIRTHDAY"}})
        if (const auto at = target.find(placeholder); at != std::string::npos)
            target.replace(at, placeholder.size(), value);
    return target.ends_with("/explanation") ? target + "?type=BIRTHDAY&date=2027-03-01" : target;
}

/// Of one whose 09:00 in UTC comes within a day, which is planned already.
std::string coming_birthday() {
    const auto day = std::chrono::floor<std::chrono::days>(std::chrono::system_clock::now() + 16h);
    return "\"1992" + domain::to_string(domain::Date(day)).substr(4) + '"';
}

}  // namespace

TEST_CASE("a client that says after what it reads always sees what it wrote") {
    Replicated system;
    const auto location = system.call("POST", users, user_with()).header("location");
    const Stutter stutter(system.replica);
    std::string written;
    for (int number = 0; number < 300; ++number) {
        CAPTURE(number);
        const auto name = "N" + std::to_string(number);
        const auto changed = system.call("PATCH", location, R"({"firstName": ")" + name + "\"}");
        REQUIRE(changed.status == 200);
        written = changed.header("x-read-after");
        const auto read = system.call("GET", location, {}, written);
        REQUIRE(text_at(read, "firstName") == name);
        if (number % 30 != 0) continue;
        // Once it is there, a replica shows it.
        const auto before = system.answered_by_primary();
        CHECK(support::eventually([&] {
            const auto so_far = system.answered_by_primary();
            CHECK(text_at(system.call("GET", location, {}, written), "firstName") == name);
            return system.answered_by_primary() == so_far;
        }));
        CHECK(before > 0);
    }
}

TEST_CASE("every answer that tells what the primary holds says what to read after") {
    Replicated system;
    system.replica.pause_replay();
    const auto added = system.call("POST", users, user_with());
    CHECK_FALSE(added.header("x-read-after").empty());
    const auto location = added.header("location");
    const auto taken = system.call("POST", users, user_with());
    CHECK(taken.status == 409);
    CHECK(postgres::parse_log_position(taken.header("x-read-after")) >=
          postgres::parse_log_position(added.header("x-read-after")));
    CHECK_FALSE(system.call("PATCH", nobody, "{}").header("x-read-after").empty());
    CHECK(system.call("POST", users, "{}").header("x-read-after").empty());
    CHECK(system.call("GET", location, {}, nothing_after).header("x-read-after").empty());

    // What a replica does not know yet is found without a word, too.
    CHECK(system.call("GET", location).status == 200);
    CHECK(system.call("GET", location + "/messages").status == 200);
    system.replica.resume_replay();
    CHECK(support::eventually([&] {
        CHECK(system.call("GET", nobody).status == 404);
        return system.sum("db_read_fallbacks_total", "missing") > 0;
    }));

    // Whoever cannot know whether he has written must see it if he has.
    system.primary.kill();
    const auto in_doubt = system.call("PATCH", location, R"({"firstName": "Augusta"})");
    CHECK(in_doubt.status == 503);
    CHECK(in_doubt.header("x-read-after") == nothing_after);
    system.primary.start();
}

TEST_CASE("a write that is done is answered without waiting for a connection to ask what to read after") {
    Replicated system(support::Environment{{"DB_ACQUIRE_TIMEOUT", "1m"}});
    const auto location = system.call("POST", users, user_with()).header("location");
    support::HttpClient operations(system.api.service().ops_port());
    const auto order = [&](const std::string& path, const std::string& body) {
        return operations.request("POST", path, body, {{"Content-Type", "application/json"}}).status;
    };
    auto connection = system.database.connection();
    auto looks = system.database.connection();
    postgres::Transaction lock(connection);
    lock.execute("SELECT FROM users FOR UPDATE");
    auto changing = std::async(std::launch::async,
                               [&] { return system.call("PATCH", location, R"({"firstName": "Augusta"})"); });
    const bool holds_its_connection =
        support::eventually([&] { return looks.run(waiting_for_locks).front().get<int>(0) == 1; });
    CHECK(order("/pool/pause", R"({"for": "1h"})") == 200);
    lock.commit();
    const bool soon = changing.wait_for(10s) == std::future_status::ready;
    CHECK(order("/pool/resume", "{}") == 200);
    const auto changed = changing.get();
    CHECK(holds_its_connection);
    CHECK(soon);
    CHECK(changed.status == 200);
    CHECK(changed.header("x-read-after") == nothing_after);
}

TEST_CASE("a wrong X-Read-After is refused by name, with a replica and without") {
    const auto check = [](const auto& get) {
        for (const auto* wrong : {"x", "0/", "0/x", "0/1, 0/2", "0/123456789"}) {
            CAPTURE(wrong);
            const HttpReply refused = get({{"X-Read-After", wrong}});
            CHECK(refused.status == 400);
            CHECK(errors_of(refused) == Members{{"X-Read-After", "invalid"}});
        }
        CHECK(get({{"X-Read-After", "0/1"}, {"X-Read-After", "0/2"}}).status == 400);
        CHECK(get({{"X-Read-After", "0/1"}}).status == 404);
        CHECK(get({{"X-Read-After", nothing_after}}).status == 404);
    };
    const auto get_of = [](Api& api) {
        return [&api](support::HttpHeaders headers) {
            headers.emplace_back("Authorization", "Bearer " + api.key());
            return api.client().request("GET", nobody, {}, headers);
        };
    };
    Replicated system;
    check(get_of(system.api));
    TestDatabase database;
    Api without(database.url());
    check(get_of(without));
    CHECK(without.call("POST", users, user_with()).header("x-read-after").empty());
}

TEST_CASE("a replica answers every route that only reads, but the one that must be fresh") {
    Replicated system;
    const auto location =
        system.call("POST", users, user_with({{"birthdayDate", coming_birthday()}, {"timezone", "\"UTC\""}}))
            .header("location");
    const auto user = location.substr(location.rfind('/') + 1);
    const auto messages = json::parse(system.call("GET", location + "/messages").body, {.values = 1'000});
    REQUIRE_FALSE(messages->find("items")->array()->empty());
    const auto message = *messages->find("items")->array()->front().find("id")->string();
    REQUIRE(support::eventually([&] {
        const auto before = system.sum("db_read_fallbacks_total");
        CHECK(system.call("GET", "/api/v1/messages/" + message).status == 200);
        return system.sum("db_read_fallbacks_total") == before;
    }));

    int asked = 0;
    for (const auto& route : api::routes()) {
        const auto target = target_of(route.pattern, user, message);
        // A test message is there only when a worker runs.
        if (!route.reads() || target.find('{') != std::string::npos) continue;
        CAPTURE(target);
        // Again when this machine was too busy to look at the replica.
        CHECK(support::eventually([&] {
            const auto before = system.sum("db_reads_total");
            const auto fallbacks = system.sum("db_read_fallbacks_total");
            const auto reply = system.call("GET", target);
            CAPTURE(reply.body);
            CHECK(reply.status == 200);
            CHECK(system.sum("db_reads_total") == before + (route.fresh ? 0 : 1));
            return system.sum("db_read_fallbacks_total") == fallbacks;
        }));
        ++asked;
    }
    CHECK(asked >= 11);
}

TEST_CASE("no request fails while the replica is killed and comes back under load") {
    Replicated system;
    const auto location = system.call("POST", users, user_with()).header("location");
    std::atomic<int> answered = 0;
    std::atomic<int> failed = 0;
    const auto ask = [&](const std::stop_token& stop) {
        support::HttpClient client(system.api.service().port());
        while (!stop.stop_requested()) {
            const auto reply =
                client.request("GET", location, {}, {{"Authorization", "Bearer " + system.api.key()}});
            ++(reply.status == 200 ? answered : failed);
        }
    };
    {
        const std::jthread one(ask), other(ask);
        const auto more = [&] {
            const auto before = answered.load();
            return support::eventually([&] { return answered > before + 200 || failed > 0; });
        };
        REQUIRE(more());
        for (int kill = 0; kill < 2; ++kill) {
            system.replica.kill();
            REQUIRE(support::eventually([&] { return system.sum("db_replica_in") == 0; }));
            CHECK_THAT(system.health(), Contains(R"("standing":"unknown","lagMs":null)"));
            REQUIRE(more());
            system.replica.start();
            REQUIRE(support::eventually([&] { return system.sum("db_replica_in") == 1; }));
            CHECK_THAT(system.health(), Contains(R"("standing":"in")"));
            CHECK(system.sum("db_pool_max", "pool=\"replica ") == 10);
            REQUIRE(more());
        }
    }
    CHECK(failed == 0);
    CHECK(system.sum("db_read_fallbacks_total") > 0);
    CHECK(support::http_get(system.api.service().ops_port(), "/readyz").status == 200);
}
