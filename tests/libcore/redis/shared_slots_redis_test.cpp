#include "libcore/redis/shared_slots.hpp"

#include <catch2/catch.hpp>
#include <thread>

#include "libcore/redis/error.hpp"
#include "tests/support/redis_fixture.hpp"
#include "tests/support/tcp_gate.hpp"

using namespace std::chrono_literals;
using Catch::Matchers::Contains;
using redis::Connection;
using redis::RedisError;
using support::TcpGate;
using Clock = std::chrono::steady_clock;

namespace {

struct Fixture : support::RedisFixture {
    Connection connection{url(), Clock::now() + 5s};

    domain::Slots lease(Connection& by, int wanted, std::chrono::nanoseconds interval = 100ms) const {
        return redis::lease_slots(by, {.key = key(), .interval = interval, .horizon = 10s, .wanted = wanted},
                                  Clock::now() + 5s);
    }
    domain::Slots lease(int wanted, std::chrono::nanoseconds interval = 100ms) {
        return lease(connection, wanted, interval);
    }
};

std::string reason(const redis::Url& url, std::chrono::milliseconds patience = 5s) {
    try {
        const Connection connection(url, Clock::now() + patience);
    } catch (const RedisError& error) {
        return error.what();
    }
    return "connected";
}

}  // namespace

TEST_CASE_METHOD(Fixture, "workers lease slots of one sequence after each other") {
    Connection other(url(), Clock::now() + 5s);
    const auto before = Clock::now();
    const auto first = lease(20);
    CHECK(first.count == 20);
    CHECK(first.first >= before);
    const auto second = lease(other, 20);
    CHECK(second.count == 20);
    // The clocks of Redis and of this process meet in each answer, which takes its time.
    CHECK(second.first - first.first < 2s + 1s);
    CHECK(second.first - first.first > 2s - 1s);
    const auto third = lease(1'000);
    CHECK(third.count > 50);
    CHECK(third.count <= 61);
    const auto none = lease(other, 1);
    CHECK(none.count == 0);
    CHECK(none.first - Clock::now() > 8s);
}

TEST_CASE_METHOD(Fixture, "the sequence moves on by exactly as many intervals as were leased") {
    const auto key_of_next = [&] { return std::stod(command({"GET", key()})); };
    lease(1, 2'333'333'333ns);
    const double one = key_of_next();
    CHECK(lease(3, 2'333'333'333ns).count == 3);
    const double moved = key_of_next() - one;
    // Rounded up to a microsecond.
    CHECK(moved == 7'000'000);
    lease(0);
    CHECK(key_of_next() == one + moved);
}

TEST_CASE_METHOD(Fixture, "a clock of Redis that was set back does not stop everybody") {
    command({"SET", key(), "9000000000000000"});
    CHECK(lease(5).count == 5);
}

TEST_CASE_METHOD(Fixture, "what nobody uses is forgotten") {
    lease(5);
    const auto lifetime = std::stol(command({"PTTL", key()}));
    CHECK(lifetime > 10'000);
    CHECK(lifetime <= 70'000);
}

TEST_CASE_METHOD(Fixture, "the right password lets in and a wrong one is named without being repeated") {
    command({"ACL", "SETUSER", key(), "on", ">p@ss:w/rd", "~*", "+@all"});
    auto guest = url();
    guest.user = key();
    guest.password = "p@ss:w/rd";
    guest.database = 1;
    Connection connected(guest, Clock::now() + 5s);
    CHECK(lease(connected, 1).count == 1);
    guest.password = "guessed-wrongly";
    CHECK_THAT(reason(guest), Contains("logging in to Redis: WRONGPASS") && !Contains("guessed"));
    command({"ACL", "DELUSER", key()});
}

TEST_CASE_METHOD(Fixture, "a Redis that is away, silent or cut off is known within the deadline") {
    TcpGate gate(url().host, url().port);
    gate.refuse();
    const redis::SlotRequest request{.key = key(), .interval = 100ms, .horizon = 1s, .wanted = 1};
    const auto connect_and_lease = [&] {
        Connection refused(url_through(gate.port()), Clock::now() + 5s);
        redis::lease_slots(refused, request, Clock::now() + 5s);
    };
    CHECK_THROWS_AS(connect_and_lease(), RedisError);
    CHECK_THAT(reason({.host = "127.0.0.1", .port = 1}), Contains("Connection refused"));
    CHECK_THAT(reason({.host = "no.such.host.invalid"}), Contains("connecting to Redis"));
    gate.forward();

    Connection through(url_through(gate.port()), Clock::now() + 5s);
    CHECK(lease(through, 1).count == 1);
    gate.stall();
    const auto began = Clock::now();
    CHECK_THROWS_WITH(redis::lease_slots(through, request, began + 50ms), Contains("no answer in time"));
    CHECK(Clock::now() - began < 2s);
    gate.forward();
    Connection again(url_through(gate.port()), Clock::now() + 5s);
    CHECK(lease(again, 1).count == 1);
    gate.cut();
    CHECK_THROWS_AS(redis::lease_slots(again, request, Clock::now() + 5s), RedisError);
}

TEST_CASE_METHOD(Fixture, "an answer of another kind is an error and no slot") {
    command({"LPUSH", key(), "not a number"});
    CHECK_THROWS_WITH(lease(1), Contains("WRONGTYPE"));
    command({"DEL", key()});
    CHECK_THROWS_WITH(connection.run("return 'text'", key(), {}, Clock::now() + 5s),
                      Contains("unexpected kind"));
}
