// Those who wait for a connection: how many may, for how long, who is served and who is refused.
#include <atomic>
#include <catch2/catch.hpp>
#include <optional>
#include <random>
#include <thread>

#include "tests/libcore/postgres/pool_storm.hpp"

using namespace std::chrono_literals;
using namespace postgres;
using Clock = std::chrono::steady_clock;

namespace {

constexpr Statement slow{"slow", "SELECT pg_sleep(0.01)"};
constexpr Statement end_one{"end_one",
                            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                            "WHERE datname = current_database() AND application_name = 'pool' LIMIT 1"};

}  // namespace

TEST_CASE_METHOD(PoolFixture, "when so many wait the next is refused at once and told when to come again",
                 "[threads]") {
    auto small = settings(1);
    small.max_waiting = 2;
    small.acquire_timeout = 20s;
    Pool pool(small);
    std::vector<std::thread> waiting;
    {
        const Lease held = pool.lease();
        for (int i = 0; i < 2; ++i) waiting.emplace_back([&] { pool.run(echo, 1); });
        REQUIRE(support::eventually([&] { return pool.state().waiting == 2; }));
        const auto started = Clock::now();
        try {
            pool.lease();
            FAIL("it was served");
        } catch (const PoolExhausted& error) {
            CHECK(error.retry_after() >= 1s);
        }
        CHECK(Clock::now() - started < 5s);
    }
    for (std::thread& thread : waiting) thread.join();
    CHECK(pool.state().idle == 1);
}

TEST_CASE_METHOD(PoolFixture, "a caller's own deadline ends his waiting, and one that is past the attempt") {
    auto patient = settings(1);
    patient.acquire_timeout = 60s;
    Pool pool(patient);
    const Lease held = pool.lease();
    const auto started = Clock::now();
    CHECK_THROWS_AS(pool.until(started + 50ms).lease(), PoolExhausted);
    CHECK(Clock::now() - started >= 50ms);
    CHECK_THROWS_AS(pool.until(started).lease(), PoolExhausted);
    CHECK(Clock::now() - started < 20s);
    CHECK(pool.state().waiting == 0);
}

TEST_CASE_METHOD(PoolFixture,
                 "a caller's own deadline ends his connecting, and is not held against the server",
                 "[threads]") {
    support::TcpGate gate("127.0.0.1", database.port());
    Pool pool(settings(1, gate));
    gate.stall();
    const auto started = Clock::now();
    CHECK_THROWS_AS(pool.until(started + 100ms).lease(), DatabaseError);
    CHECK(Clock::now() - started < 5s);  // alone, connecting takes ten
    CHECK(pool.state().active == 0);
    CHECK(pool.state().circuit == Circuit::State::closed);
    gate.forward();
    CHECK_NOTHROW(pool.until(Clock::now() + 10s).lease());
}

TEST_CASE_METHOD(PoolFixture, "the reserve serves those whom it is for while all others wait", "[threads]") {
    auto patient = settings(4);
    patient.acquire_timeout = 20s;
    Pool pool(patient);
    Pool reserve = pool.reserved();
    std::thread waiting;
    {
        const Lease first = pool.lease(), second = pool.lease(), third = pool.lease();
        waiting = std::thread([&] { pool.run(echo, 1); });
        REQUIRE(support::eventually([&] { return pool.state().waiting == 1; }));
        CHECK(reserve.run(echo, 7).front().get<int>(0) == 7);
        CHECK(pool.state().waiting == 1);
        CHECK(pool.state().idle == 1);
    }
    waiting.join();
}

TEST_CASE_METHOD(PoolFixture, "overload is shed, those who are served are served, and it is forgotten",
                 "[threads]") {
    auto busy = settings(2);
    busy.shed_above = 20ms;
    busy.shed_interval = 200ms;
    Pool pool(busy);
    std::atomic<int> served = 0, shed = 0;
    std::atomic<bool> hint_missing = false;
    {
        std::vector<std::jthread> threads;
        for (int i = 0; i < 40; ++i)
            threads.emplace_back([&](const std::stop_token& stop) {
                while (!stop.stop_requested()) {
                    try {
                        pool.run(slow);
                        ++served;
                    } catch (const PoolExhausted& error) {
                        ++shed;
                        if (error.retry_after() < 1s) hint_missing = true;
                        std::this_thread::sleep_for(20ms);
                    }
                }
            });
        CHECK(support::eventually([&] { return shed > 100 && served > 30; }));
    }
    CHECK_FALSE(hint_missing);
    CHECK(pool.state().waiting == 0);
    CHECK(pool.run(echo, 1).front().get<int>(0) == 1);
}

TEST_CASE_METHOD(PoolFixture, "whatever happens to the pool and its server, each reads its own answers",
                 "[threads]") {
    constexpr int most = 6;
    const Census census(database, most);
    auto stormy = settings(4);
    stormy.min = 2;
    stormy.max_uses = 20;
    stormy.max_lifetime = 300ms;
    stormy.idle_timeout = 20ms;
    stormy.health_check = 30ms;
    stormy.connects_per_second = 200;
    Pool pool(stormy);
    std::atomic<int> wrong = 0, right = 0, failed = 0;
    std::atomic<bool> too_many = false;
    {
        std::vector<std::jthread> threads;
        for (std::int64_t thread = 0; thread < 12; ++thread)
            threads.emplace_back([&, thread](const std::stop_token& stop) {
                Pool mine = thread % 4 == 0 ? pool.reserved() : pool;
                for (std::int64_t i = 0; !stop.stop_requested(); ++i) {
                    const std::int64_t token = thread * 1'000'000 + i;
                    try {
                        auto lease =
                            mine.until(i % 7 == 0 ? Clock::now() + 5ms : Clock::time_point::max()).lease();
                        const auto answer = lease->run(echo, token).front().get<std::int64_t>(0);
                        ++(answer == token ? right : wrong);
                    } catch (const DatabaseError&) {
                        ++failed;
                    }
                    if (pool.state().total > most) too_many = true;
                }
            });
        threads.emplace_back([&](const std::stop_token& stop) {
            std::minstd_rand random(1);
            auto server = database.connection();
            while (!stop.stop_requested()) {
                std::this_thread::sleep_for(5ms);
                const auto what = random() % 4;
                if (what == 0) pool.renew();
                if (what == 1) pool.resize(most - static_cast<int>(random() % 4), 1);
                if (what > 1) server.run(end_one);
            }
        });
        CHECK(support::eventually([&] { return right > 2'000 && failed > 0; }, 60s));
    }
    CHECK(wrong == 0);
    CHECK_FALSE(too_many);
    CHECK(census.most() <= most);
    CHECK(pool.state().waiting == 0);
    CHECK(pool.state().active == 0);
    CHECK(support::eventually([&] { return works(pool); }));  // the last one may be dying yet
}
