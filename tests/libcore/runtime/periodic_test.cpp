#include "libcore/runtime/periodic.hpp"

#include <atomic>
#include <catch2/catch.hpp>
#include <mutex>
#include <stdexcept>
#include <vector>

#include "tests/support/eventually.hpp"

using namespace std::chrono_literals;
using runtime::Periodic;
using std::chrono::steady_clock;
using support::eventually;

TEST_CASE("a loop that asks for no pause runs again at once") {
    runtime::Registry registry("test");
    std::atomic<int> rounds = 0;
    const Periodic loop("eager", registry, [&] { return ++rounds < 1000 ? 0ms : 1h; });
    CHECK(eventually([&] { return rounds == 1000; }));
}

TEST_CASE("a loop is woken from its pause and stops in the middle of one") {
    runtime::Registry registry("test");
    std::atomic<int> rounds = 0;
    const auto begin = steady_clock::now();
    {
        Periodic loop("sleeper", registry, [&]() -> std::chrono::milliseconds {
            ++rounds;
            return 1h;
        });
        REQUIRE(eventually([&] { return rounds == 1; }));
        loop.wake();
        REQUIRE(eventually([&] { return rounds == 2; }));
    }
    CHECK(steady_clock::now() - begin < 10s);
    CHECK(rounds == 2);
}

TEST_CASE("a wake during a round is not lost") {
    runtime::Registry registry("test");
    std::atomic<int> rounds = 0;
    std::atomic<bool> go_on = false;
    Periodic loop("busy", registry, [&]() -> std::chrono::milliseconds {
        ++rounds;
        eventually([&] { return go_on.load(); });
        return 1h;
    });
    REQUIRE(eventually([&] { return rounds == 1; }));
    loop.wake();
    go_on = true;
    CHECK(eventually([&] { return rounds == 2; }));
}

TEST_CASE("a failing loop is retried after growing pauses that a wake does not shorten") {
    runtime::Registry registry("test");
    std::mutex mutex;
    std::vector<steady_clock::time_point> rounds;
    Periodic loop("failing", registry,
                  [&]() -> std::chrono::milliseconds {
                      const std::lock_guard lock(mutex);
                      rounds.push_back(steady_clock::now());
                      if (rounds.size() < 5) throw std::runtime_error("the database is away");
                      return 1h;
                  },
                  {.first = 20ms, .longest = 40ms});
    REQUIRE(eventually([&] {
        loop.wake();
        const std::lock_guard lock(mutex);
        return rounds.size() >= 5;
    }));
    const std::lock_guard lock(mutex);
    CHECK(rounds[1] - rounds[0] >= 10ms);
    for (std::size_t i = 2; i < 5; ++i) CHECK(rounds[i] - rounds[i - 1] >= 20ms);
    CHECK_THAT(registry.text(),
               Catch::Matchers::Contains(R"(loop_rounds_total{loop="failing",result="failed"} 4)"));
}

TEST_CASE("what is thrown need not be an exception") {
    runtime::Registry registry("test");
    std::atomic<int> rounds = 0;
    const Periodic loop("odd", registry,
                        [&]() -> std::chrono::milliseconds {
                            if (++rounds == 1) throw 42;
                            return 1h;
                        },
                        {.first = 1ms, .longest = 1ms});
    CHECK(eventually([&] { return rounds == 2; }));
}

TEST_CASE("the age of the last success grows while a loop fails") {
    runtime::Registry registry("test");
    std::atomic<bool> broken = false;
    const Periodic loop("aging", registry,
                        [&] {
                            if (broken) throw std::runtime_error("broken");
                            return 1ms;
                        },
                        {.first = 1ms, .longest = 1ms});
    REQUIRE(eventually([&] { return loop.since_success() < 50ms; }));
    broken = true;
    CHECK(eventually([&] { return loop.since_success() > 60ms; }));
}
