#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <thread>

#include "tests/libcore/postgres/error_of.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/host_names.hpp"
#include "tests/support/postgres_fixture.hpp"

using namespace std::chrono_literals;
using Catch::Matchers::Contains;
using postgres::Connection;
using postgres::DatabaseError;
using postgres::error_of;
using postgres::Pool;
using postgres::Statement;
using Clock = std::chrono::steady_clock;

namespace {

constexpr Statement echo{"echo", "SELECT $1::bigint"};
constexpr Statement sleep_long{"sleep_long", "SELECT pg_sleep(60)"};
constexpr Statement address{"address", "SELECT host(inet_server_addr())"};

struct Fixture {
    support::TestDatabase database{support::TestDatabase::Content::nothing};
    /// The server listens on the last of these.
    support::HostNames names{{{"db", {"127.0.0.1"}},
                              {"twice", {"127.0.0.2", "127.0.0.1"}},
                              {"again", {"127.0.0.1", "127.0.0.2"}},
                              {"silent", {"127.0.0.3", "127.0.0.1"}}}};

    /// The server by other names; `more` is the rest of the URL.
    postgres::ConnectionSettings settings(const std::string& hosts, const std::string& more = {}) const {
        auto settings = database.settings();
        settings.url += "&host=" + hosts + "&port=" + std::to_string(database.port()) + more;
        settings.host_lookups = names.lookups();
        return settings;
    }

    postgres::PoolSettings pool(int max, int min = 0) const {
        return {.connection = settings("db"), .max = max, .min = min, .acquire_timeout = 20s};
    }
};

/// Lets everybody connect, and says nothing.
class SilentServer {
public:
    SilentServer(const char* host, std::uint16_t port) {
        sockaddr_in where{};
        where.sin_family = AF_INET;
        where.sin_port = htons(port);
        inet_pton(AF_INET, host, &where.sin_addr);
        REQUIRE(bind(socket_, reinterpret_cast<const sockaddr*>(&where), sizeof where) == 0);
        REQUIRE(listen(socket_, 8) == 0);
    }
    ~SilentServer() { ::close(socket_); }
    SilentServer(const SilentServer&) = delete;
    SilentServer& operator=(const SilentServer&) = delete;

private:
    const int socket_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
};

}  // namespace

TEST_CASE_METHOD(Fixture, "of the addresses of a name one that nobody listens on is passed by", "[threads]") {
    Connection connection(settings("twice"));
    CHECK(connection.run(address).front().get<std::string>(0) == "127.0.0.1");
    const auto error =
        error_of([&] { Connection(settings("twice", "&dbname=nothing_of_the_kind")).run(address); });
    CHECK(error.sqlstate() == "3D000");
}

TEST_CASE_METHOD(Fixture,
                 "a server that is full is said to be so, though another address of it is unreachable",
                 "[threads]") {
    auto administrator = database.connection();
    const std::string role = "limited_" + std::to_string(administrator.backend_pid());
    administrator.execute("CREATE ROLE " + role + " LOGIN PASSWORD 'x' CONNECTION LIMIT 1");
    const std::string login = "&user=" + role + "&password=x";
    {
        Connection only(settings("db", login));
        CHECK(error_of([&] { Connection(settings("again", login)); }).is_full());
        CHECK(error_of([&] { Connection(settings("again,nobody", login)); }).is_full());
    }
    CHECK(support::eventually([&] {
        return administrator
            .run(Statement{"sessions", "SELECT 1 FROM pg_stat_activity WHERE usename = $1"}, role)
            .empty();
    }));
    administrator.execute("DROP ROLE " + role);
}

TEST_CASE_METHOD(Fixture, "of the addresses of a name one that says nothing leaves time for the next",
                 "[threads]") {
    const SilentServer silent("127.0.0.3", database.port());
    auto patient = settings("silent");
    patient.connect_timeout = 2s;
    Connection connection(patient);
    CHECK(connection.run(address).front().get<std::string>(0) == "127.0.0.1");
}

TEST_CASE_METHOD(Fixture, "a name that nobody knows does not keep us from the next one", "[threads]") {
    for (const char* attributes : {"any", "read-write", "prefer-standby"}) {
        Connection connection(
            settings("nobody,twice,no_one", std::string("&target_session_attrs=") + attributes));
        CHECK(connection.run(address).front().get<std::string>(0) == "127.0.0.1");
    }
    const auto error = error_of([&] { Connection(settings("nobody,no_one", "&password=topsecret")); });
    CHECK(error.connection_lost());
    CHECK_THAT(error.what(), Contains("\"no_one\"") && !Contains("topsecret"));
}

TEST_CASE_METHOD(Fixture, "connecting gives up a stalled lookup at the connect timeout, and names the host",
                 "[threads]") {
    names.stall("db");
    auto hasty = settings("db", "&password=topsecret");
    hasty.connect_timeout = 100ms;
    const auto started = Clock::now();
    const DatabaseError error = error_of([&] { Connection connection(hasty); });
    CHECK(Clock::now() - started < 10s);
    CHECK(error.timed_out());
    CHECK_THAT(error.what(), Contains("\"db\"") && !Contains("topsecret"));

    auto several = settings("db,twice");
    several.connect_timeout = 2s;
    CHECK(Connection(several).usable());
}

TEST_CASE_METHOD(Fixture, "who is asked to stop does not wait for a stalled lookup", "[threads]") {
    names.stall("db");
    auto patient = settings("db");
    patient.connect_timeout = 60s;
    std::stop_source stop;
    std::thread asks([&] {
        support::eventually([&] { return names.asked() == 1; });
        stop.request_stop();
    });
    const auto started = Clock::now();
    CHECK_THROWS_AS(Connection(patient, {}, stop.get_token()), DatabaseError);
    CHECK(Clock::now() - started < 20s);
    asks.join();
}

TEST_CASE_METHOD(Fixture, "a caller is answered at his deadline, and the connection is there for the next",
                 "[threads]") {
    Pool pool(this->pool(1));
    names.stall("db");
    const auto started = Clock::now();
    const auto error = error_of([&] { pool.until(started + 50ms).run(echo, 1); });
    CHECK(Clock::now() - started < 5s);
    CHECK(error.timed_out());
    CHECK(pool.state().idle == 0);

    names.forward();
    CHECK(support::eventually([&] { return pool.state().idle == 1; }));
    CHECK(pool.run(echo, 2).front().get<int>(0) == 2);
    CHECK(names.asked() == 1);
}

TEST_CASE_METHOD(Fixture, "what others leave is made fit again while a lookup stalls", "[threads]") {
    Pool pool(this->pool(2));
    {
        const auto lease = pool.until(Clock::now() + 2s).lease();
        names.stall("db");
        CHECK_THROWS_AS(pool.until(Clock::now() + 50ms).lease(), DatabaseError);
        CHECK_THROWS_AS(lease->run(sleep_long), DatabaseError);
    }
    CHECK(support::eventually([&] { return pool.state().idle == 1; }));
    CHECK(pool.run(echo, 3).front().get<int>(0) == 3);
    names.forward();
    CHECK(support::eventually([&] { return pool.state().idle == 2; }));
}

TEST_CASE_METHOD(Fixture, "a pool ends at once while it looks a name up in the background", "[threads]") {
    auto patient = pool(2, 2);
    patient.connection.connect_timeout = 60s;
    names.stall("db");
    const auto started = Clock::now();
    {
        Pool pool(patient);
        CHECK_THROWS_AS(pool.until(Clock::now() + 20ms).lease(), DatabaseError);
        REQUIRE(support::eventually([&] { return names.asked() == 1; }));
    }
    CHECK(Clock::now() - started < 20s);
}
