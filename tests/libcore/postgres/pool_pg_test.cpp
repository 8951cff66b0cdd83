// A pool lends connections of a real server: to whom, how many, and which it does not lend again.
#include <algorithm>
#include <atomic>
#include <catch2/catch.hpp>
#include <mutex>
#include <optional>
#include <thread>

#include "tests/libcore/postgres/pool_fixture.hpp"
#include "tests/support/eventually.hpp"

using namespace std::chrono_literals;
using namespace postgres;

TEST_CASE_METHOD(PoolFixture, "a pool opens nothing before it is needed and lends again what came back") {
    Pool pool(settings(2));
    CHECK(pool.state().total == 0);
    const int pid = pool.lease()->backend_pid();
    CHECK(pool.lease()->backend_pid() == pid);
    {
        const Lease first = pool.lease();
        const Lease second = pool.lease();
        CHECK(first->backend_pid() != second->backend_pid());
        CHECK(pool.state().active == 2);
        CHECK(pool.state().idle == 0);
    }
    CHECK(pool.state().total == 2);
    CHECK(pool.state().idle == 2);
    CHECK(pool.state().max == 2);
}

TEST_CASE_METHOD(PoolFixture, "32 threads never exceed the maximum and each reads its own answers",
                 "[threads]") {
    constexpr int max = 4;
    Pool pool(settings(max));
    std::atomic<int> wrong = 0, most = 0;
    std::vector<std::thread> threads;
    for (std::int64_t thread = 0; thread < 32; ++thread)
        threads.emplace_back([&, thread] {
            for (std::int64_t i = 0; i < 50; ++i) {
                const std::int64_t token = thread * 1'000'000 + i;
                if (pool.run(echo, token).front().get<std::int64_t>(0) != token) ++wrong;
                const int total = pool.state().total;
                for (int seen = most; seen < total && !most.compare_exchange_weak(seen, total);) continue;
            }
        });
    for (std::thread& thread : threads) thread.join();

    CHECK(wrong == 0);
    CHECK(most <= max);
    CHECK(pool.state().idle == pool.state().total);
    CHECK(static_cast<int>(pids().size()) <= max);
}

TEST_CASE_METHOD(PoolFixture, "whoever waits longest is served first", "[threads]") {
    auto patient = settings(1);
    patient.acquire_timeout = 10s;
    Pool pool(patient);
    std::mutex mutex;
    std::vector<int> order;
    std::vector<std::thread> threads;
    {
        const Lease held = pool.lease();
        for (int number = 0; number < 8; ++number) {
            threads.emplace_back([&, number] {
                const Lease lease = pool.lease();
                const std::scoped_lock lock(mutex);
                order.push_back(number);
            });
            REQUIRE(support::eventually([&] { return pool.state().waiting == number + 1; }));
        }
    }
    for (std::thread& thread : threads) thread.join();

    CHECK(order == std::vector{0, 1, 2, 3, 4, 5, 6, 7});
}

TEST_CASE_METHOD(PoolFixture, "an exhausted pool says so after the acquire timeout and recovers") {
    auto impatient = settings(1);
    impatient.acquire_timeout = 50ms;
    Pool pool(impatient);
    {
        const Lease held = pool.lease();
        const auto started = std::chrono::steady_clock::now();
        CHECK_THROWS_AS(pool.lease(), PoolExhausted);
        const auto waited = std::chrono::steady_clock::now() - started;
        CHECK(waited >= 50ms);
        CHECK(waited < 50ms + slack);
        CHECK(pool.state().waiting == 0);
    }
    CHECK(pool.run(echo, 1).front().get<int>(0) == 1);
}

TEST_CASE_METHOD(PoolFixture, "a connection that the server ended while it rested is never lent") {
    Pool pool(settings(2));
    const int pid = pool.lease()->backend_pid();
    end_backend(pid);

    CHECK(pool.run(echo, 1).front().get<int>(0) == 1);
    CHECK(pool.lease()->backend_pid() != pid);
    CHECK(pool.state().total == 1);
}

TEST_CASE_METHOD(PoolFixture, "a connection that broke in use is dropped and its place goes to who waits",
                 "[threads]") {
    Pool pool(settings(1));
    std::thread waiter;
    std::atomic<int> answer = 0;
    {
        Lease lease = pool.lease();
        waiter = std::thread([&] { answer = pool.run(echo, 7).front().get<int>(0); });
        REQUIRE(support::eventually([&] { return pool.state().waiting == 1; }));
        end_backend(lease->backend_pid());
        CHECK_THROWS_AS(lease->run(echo, 1), DatabaseError);
    }
    waiter.join();
    CHECK(answer == 7);
    CHECK(pool.state().total == 1);
}

TEST_CASE_METHOD(PoolFixture, "a connection that comes back inside a transaction is not lent again") {
    Pool pool(settings(1));
    int pid = 0;
    {
        Lease lease = pool.lease();
        pid = lease->backend_pid();
        lease->execute("BEGIN");
    }
    CHECK(pool.lease()->backend_pid() != pid);
}

TEST_CASE_METHOD(PoolFixture, "connections above the minimum are closed when they have rested long enough") {
    auto shrinking = settings(3);
    shrinking.min = 1;
    shrinking.idle_timeout = 50ms;
    Pool pool(shrinking);
    { const Lease first = pool.lease(), second = pool.lease(), third = pool.lease(); }
    CHECK(support::eventually([&] { return pool.state().total == 1; }));
    CHECK(support::eventually([&] { return pids().size() == 1; }));
}

TEST_CASE_METHOD(PoolFixture, "a connection is replaced at the end of its life") {
    auto short_lived = settings(1);
    short_lived.max_lifetime = 2s;
    Pool pool(short_lived);
    const int pid = pool.lease()->backend_pid();
    CHECK(pool.lease()->backend_pid() == pid);
    CHECK(support::eventually([&] { return pool.lease()->backend_pid() != pid; }));
}

TEST_CASE_METHOD(PoolFixture, "a connection is replaced when it has been lent as often as it may be") {
    PoolSettings worn = settings(1);
    worn.max_uses = 3;
    Pool pool(worn);
    const int first = pool.lease()->backend_pid();
    CHECK(pool.lease()->backend_pid() == first);
    CHECK(pool.lease()->backend_pid() == first);
    CHECK(pool.state().total == 0);
    CHECK(pool.lease()->backend_pid() != first);
}

TEST_CASE_METHOD(PoolFixture, "without a server every borrower learns it and with one the next succeeds",
                 "[threads]") {
    support::TcpGate gate("127.0.0.1", database.port());
    gate.refuse();
    Pool pool(settings(2, gate));
    std::atomic<int> failures = 0;
    std::vector<std::thread> threads;
    for (int i = 0; i < 8; ++i)
        threads.emplace_back([&] {
            try {
                pool.run(echo, 1);
            } catch (const DatabaseError& error) {
                if (error.got_no_answer()) ++failures;
            }
        });
    for (std::thread& thread : threads) thread.join();
    CHECK(failures == 8);
    CHECK(pool.state().total == 0);

    gate.forward();
    CHECK(pool.run(echo, 1).front().get<int>(0) == 1);

    gate.cut();
    CHECK(support::eventually([&] {  // the reset may be a moment on its way
        try {
            return pool.run(echo, 2).front().get<int>(0) == 2;
        } catch (const DatabaseError&) {
            return false;
        }
    }));
}

TEST_CASE_METHOD(PoolFixture, "a pool tells how long borrowers waited and what connecting took") {
    using Kind = Observation::Kind;
    std::vector<std::pair<Kind, std::string>> seen;
    Pool pool(settings(1), [&](const Observation& it) { seen.emplace_back(it.kind, it.name); });

    pool.run(echo, 1);
    pool.run(echo, 2);

    CHECK(seen == std::vector<std::pair<Kind, std::string>>{{Kind::acquire, "acquire"},
                                                            {Kind::connect, "connect"},
                                                            {Kind::statement, "echo"},
                                                            {Kind::use, "use"},
                                                            {Kind::acquire, "acquire"},
                                                            {Kind::statement, "echo"},
                                                            {Kind::use, "use"}});
}

TEST_CASE_METHOD(PoolFixture, "a renewed pool lends no connection of before") {
    Pool pool(settings(3));
    int resting = 0, lent = 0;
    {
        const Lease first = pool.lease();
        lent = first->backend_pid();
        resting = pool.lease()->backend_pid();
        pool.renew();
        CHECK(pool.state().idle == 0);
        CHECK(pool.state().total == 1);
        CHECK(first->run(echo, std::int64_t{7}).front().get<int>(0) == 7);
    }
    CHECK(pool.state().total == 0);
    const int now = pool.lease()->backend_pid();
    CHECK(now != resting);
    CHECK(now != lent);
    CHECK(pool.lease()->backend_pid() == now);
}

TEST_CASE_METHOD(PoolFixture, "a renewed pool gives those who wait new connections", "[threads]") {
    Pool pool(settings(1));
    std::optional<Lease> lease(pool.lease());
    const int before = (*lease)->backend_pid();
    int after = before;
    std::thread waiting([&] { after = pool.lease()->backend_pid(); });
    REQUIRE(support::eventually([&] { return pool.state().waiting == 1; }));
    pool.renew();
    lease.reset();
    waiting.join();
    CHECK(after != before);
}

TEST_CASE_METHOD(PoolFixture, "a write that commits by itself and whose answer never comes is in doubt",
                 "[threads]") {
    static constexpr Statement long_write{"long_write", "SELECT pg_sleep(20)"};
    static constexpr Statement end_sleeper{
        "end_sleeper",
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
        "WHERE datname = current_database() AND query = 'SELECT pg_sleep(20)' AND state = 'active'"};
    Pool pool(settings(2));
    std::jthread ender([&] {
        auto connection = database.connection();
        support::eventually([&] { return connection.run(end_sleeper).front().get<int>(0) > 0; });
    });
    CHECK_THROWS_AS(pool.run(long_write), CommitInDoubt);
    CHECK(pool.run(echo, 1).front().get<int>(0) == 1);
}
