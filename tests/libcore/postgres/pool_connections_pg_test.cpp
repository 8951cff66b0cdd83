// When a pool connects, how many at a time, and how it keeps what it has: opened ahead, looked after,
// resized.
#include <algorithm>
#include <atomic>
#include <catch2/catch.hpp>
#include <latch>
#include <thread>

#include "tests/libcore/postgres/pool_storm.hpp"

using namespace std::chrono_literals;
using namespace postgres;
using Clock = std::chrono::steady_clock;

namespace {

constexpr Statement length{"length", "SELECT length($1::text)"};

struct Fixture : PoolFixture {
    support::TcpGate gate{"127.0.0.1", database.port()};

    PoolSettings settings(int max, int min = 0) const {
        auto settings = PoolFixture::settings(max, gate);
        settings.min = min;
        return settings;
    }

    /// The server hears the pool's connection, which has said more than others will, and nobody hears it.
    void make_deaf(Pool& pool) {
        pool.run(length, std::string(8'000, 'x'));
        gate.stall_answers(4'000);
    }
};

bool rested(Clock::time_point since, std::chrono::milliseconds span) {
    return support::eventually([&] { return Clock::now() - since > span; });
}

}  // namespace

TEST_CASE_METHOD(Fixture, "the minimum is opened in the background, and nobody connects who comes later",
                 "[threads]") {
    std::atomic<int> connected = 0;
    Pool pool(settings(5, 3), [&](const Observation& it) {
        if (it.kind == Observation::Kind::connect) ++connected;
    });
    REQUIRE(support::eventually([&] { return pool.state().idle == 3; }));
    CHECK(pids().size() == 3);
    {
        const Lease first = pool.lease(), second = pool.lease(), third = pool.lease();
        CHECK(pids().contains(first->backend_pid()));
    }
    CHECK(connected == 3);
    CHECK(pool.state().total == 3);
}

TEST_CASE_METHOD(Fixture, "the minimum is there soon after the server is", "[threads]") {
    gate.refuse();
    Pool pool(settings(5, 2));
    CHECK_THROWS_AS(pool.lease(), DatabaseError);
    gate.forward();
    CHECK(support::eventually([&] { return pool.state().idle == 2; }));
}

TEST_CASE_METHOD(Fixture, "the minimum is there again after the server has ended its connections",
                 "[threads]") {
    auto checked = settings(5, 3);
    checked.health_check = 50ms;
    Pool pool(checked);
    REQUIRE(support::eventually([&] { return pool.state().idle == 3; }));
    const auto before = pids();
    for (const int pid : before) end_backend(pid);
    CHECK(support::eventually([&] {
        const auto now = pids();
        return now.size() == 3 && std::ranges::none_of(now, [&](int pid) { return before.contains(pid); });
    }));
}

TEST_CASE_METHOD(Fixture, "a pool ends at once while it connects in the background to nobody", "[threads]") {
    gate.stall();
    const auto started = Clock::now();
    {
        const Pool pool(settings(3, 3));
        REQUIRE(support::eventually([&] { return gate.accepted() > 0; }));
    }
    CHECK(Clock::now() - started < 5s);  // it would wait for ten
}

TEST_CASE_METHOD(Fixture, "a crowd opens ten connections at once and then ten a second", "[threads]") {
    constexpr int crowd = 20;
    auto wide = settings(crowd);
    wide.reserve = 0;
    wide.acquire_timeout = 20s;
    Pool pool(wide);
    std::latch all_served(crowd);
    std::vector<std::thread> threads;
    const auto started = Clock::now();
    for (int i = 0; i < crowd; ++i)
        threads.emplace_back([&] {
            const Lease lease = pool.lease();
            all_served.arrive_and_wait();
        });
    bool too_many = false;
    while (!all_served.try_wait()) {
        const auto accepted = gate.accepted();
        const auto seconds = std::chrono::duration<double>(Clock::now() - started).count();
        if (static_cast<double>(accepted) > 10 + 10 * seconds) too_many = true;
        std::this_thread::sleep_for(1ms);
    }
    CHECK_FALSE(too_many);
    CHECK(Clock::now() - started > 900ms);
    for (std::thread& thread : threads) thread.join();
    CHECK(pids().size() == crowd);
}

TEST_CASE_METHOD(Fixture, "no more than four connect at the same time", "[threads]") {
    gate.stall();
    auto wide = settings(12);
    wide.acquire_timeout = 300ms;
    wide.connection.connect_timeout = 1'500ms;
    Pool pool(wide);
    std::vector<std::thread> threads;
    std::atomic<int> exhausted = 0, lost = 0;
    for (int i = 0; i < 10; ++i)
        threads.emplace_back([&] {
            try {
                pool.lease();
            } catch (const PoolExhausted&) {
                ++exhausted;
            } catch (const DatabaseError&) {
                ++lost;
            }
        });
    REQUIRE(support::eventually([&] { return exhausted == 6; }));
    CHECK(gate.accepted() == 4);
    for (std::thread& thread : threads) thread.join();
    CHECK(lost == 4);
}

TEST_CASE_METHOD(Fixture, "a server that comes back is found within a second", "[threads]") {
    Pool pool(settings(4));
    check_that_it_works_within_a_second_of("a server that was away", pool, [&] {
        gate.refuse();
        for (int i = 0; i < 6; ++i) CHECK_THROWS_AS(pool.lease(), DatabaseError);
        gate.forward();
    });
}

TEST_CASE_METHOD(Fixture, "without validation the one who borrows a dead connection learns it") {
    auto trusting = settings(1);
    trusting.validation = Validation::off;
    Pool pool(trusting);
    end_backend(pool.lease()->backend_pid());
    CHECK_THROWS_AS(pool.lease()->run(echo, 1), DatabaseError);
    CHECK(pool.run(echo, 2).front().get<int>(0) == 2);
}

TEST_CASE_METHOD(Fixture, "a ping finds a connection over which nothing comes back") {
    auto careful = settings(1);
    careful.validation = Validation::ping;
    Pool pool(careful);
    const int pid = pool.lease()->backend_pid();
    make_deaf(pool);
    REQUIRE(rested(Clock::now(), 600ms));

    const auto started = Clock::now();
    CHECK(pool.lease()->backend_pid() != pid);
    CHECK(Clock::now() - started < 5s);
}

TEST_CASE_METHOD(Fixture, "a connection that rests and does not answer is replaced before anybody asks",
                 "[threads]") {
    auto checked = settings(2, 1);
    checked.health_check = 100ms;
    Pool pool(checked);
    const int pid = pool.lease()->backend_pid();
    make_deaf(pool);
    CHECK(support::eventually([&] {
        const auto now = pids();
        return pool.state().idle == 1 && now.size() == 1 && !now.contains(pid);
    }));
}

TEST_CASE_METHOD(Fixture, "a pool that is made smaller closes connections, one that is made larger serves",
                 "[threads]") {
    Pool pool(settings(3));
    {
        const Lease first = pool.lease(), second = pool.lease();
        { const Lease third = pool.lease(); }
        pool.resize(1, 0);
        CHECK(pool.state().total == 2);
        CHECK(pool.state().max == 1);
        std::thread waiting([&] { pool.run(echo, 1); });
        REQUIRE(support::eventually([&] { return pool.state().waiting == 1; }));
        pool.resize(5, 0);
        waiting.join();
        pool.resize(1, 0);
    }
    CHECK(pool.state().total == 1);
    CHECK(support::eventually([&] { return pids().size() == 1; }));
}
