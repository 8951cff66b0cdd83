#include "libcore/runtime/periodic.hpp"

#include <atomic>
#include <catch2/catch.hpp>
#include <future>
#include <mutex>
#include <stdexcept>
#include <vector>

#include "tests/support/eventually.hpp"

using namespace std::chrono_literals;
using runtime::Periodic;
using std::chrono::steady_clock;
using support::eventually;

TEST_CASE("a loop that asks for no pause runs again at once", "[threads]") {
    runtime::Registry registry("test");
    runtime::Loops loops(registry, 1h);
    std::atomic<int> rounds = 0;
    const Periodic loop("eager", loops, [&] { return ++rounds < 1000 ? 0ms : 1h; });
    CHECK(eventually([&] { return rounds == 1000; }));
}

TEST_CASE("a loop is woken from its pause and stops in the middle of one", "[threads]") {
    runtime::Registry registry("test");
    runtime::Loops loops(registry, 1h);
    std::atomic<int> rounds = 0;
    const auto begin = steady_clock::now();
    {
        Periodic loop("sleeper", loops, [&]() -> std::chrono::milliseconds {
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

TEST_CASE("a wake during a round is not lost", "[threads]") {
    runtime::Registry registry("test");
    runtime::Loops loops(registry, 1h);
    std::atomic<int> rounds = 0;
    std::atomic<bool> go_on = false;
    Periodic loop("busy", loops, [&]() -> std::chrono::milliseconds {
        ++rounds;
        eventually([&] { return go_on.load(); });
        return 1h;
    });
    REQUIRE(eventually([&] { return rounds == 1; }));
    loop.wake();
    go_on = true;
    CHECK(eventually([&] { return rounds == 2; }));
}

TEST_CASE("a failing loop is retried after growing pauses that a wake does not shorten", "[threads]") {
    runtime::Registry registry("test");
    runtime::Loops loops(registry, 1h);
    std::mutex mutex;
    std::vector<steady_clock::time_point> rounds;
    Periodic loop("failing", loops,
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

TEST_CASE("what is thrown need not be an exception", "[threads]") {
    runtime::Registry registry("test");
    runtime::Loops loops(registry, 1h);
    std::atomic<int> rounds = 0;
    const Periodic loop("odd", loops,
                        [&]() -> std::chrono::milliseconds {
                            if (++rounds == 1) throw 42;
                            return 1h;
                        },
                        {.first = 1ms, .longest = 1ms});
    CHECK(eventually([&] { return rounds == 2; }));
}

TEST_CASE("a loop that hangs in a round is stuck, by name, until the round ends", "[threads]") {
    runtime::Registry registry("test");
    runtime::Loops loops(registry, 50ms);
    std::promise<void> answer;
    const auto answered = answer.get_future().share();
    const Periodic hanging("hanging", loops, [&] {
        answered.wait();
        return 1h;
    });
    const Periodic well("well", loops, [] { return 1ms; });
    REQUIRE(eventually([&] { return !loops.alive().ok; }));
    CHECK(loops.alive().detail == "hanging: in one round for 0 s");
    answer.set_value();
    CHECK(eventually([&] { return loops.alive().ok; }));
    CHECK(loops.alive().detail.empty());
}

TEST_CASE("loops that fail, wait or have ended are not stuck", "[threads]") {
    runtime::Registry registry("test");
    runtime::Loops loops(registry, 50ms);
    std::atomic<int> rounds = 0;
    const Periodic failing("failing", loops,
                           [&]() -> std::chrono::milliseconds {
                               ++rounds;
                               throw std::runtime_error("the database is away");
                           },
                           {.first = 1ms, .longest = 5ms});
    const Periodic waiting("waiting", loops, [] { return 1h; });
    {
        std::atomic<bool> begun = false;
        const Periodic ended("ended", loops, [&] {
            begun = true;
            return 1h;
        });
        REQUIRE(eventually([&] { return begun.load(); }));
    }
    const auto begin = steady_clock::now();
    REQUIRE(eventually([&] { return rounds > 20 && steady_clock::now() - begin > 100ms; }));
    CHECK(loops.alive().ok);
}
