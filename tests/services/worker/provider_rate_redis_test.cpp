// The rate of several workers, each with a ProviderRate of its own, through a Redis that comes and goes.

#include "services/worker/provider_rate.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <deque>
#include <mutex>
#include <numeric>
#include <thread>

#include "tests/support/eventually.hpp"
#include "tests/support/redis_fixture.hpp"
#include "tests/support/tcp_gate.hpp"

using namespace std::chrono_literals;
using support::eventually;
using worker::ProviderRate;
using Clock = ProviderRate::Clock;

namespace {

struct Worker {
    Worker(const worker::RateSettings& settings, int consumers) : rate(settings, loops) {
        rate.set_consumers(consumers);
    }

    bool shared() { return registry.gauge("provider_rate_shared", "").Value() == 1; }

    runtime::Registry registry{"test"};
    runtime::Loops loops{registry, 1min};
    ProviderRate rate;
};

struct Fixture : support::RedisFixture {
    support::TcpGate gate{url().host, url().port};
    std::deque<Worker> workers;

    void start(int count, const char* limit) {
        for (int i = 0; i < count; ++i) workers.emplace_back(settings(limit), count);
    }

    worker::RateSettings settings(const char* limit) const {
        return {.limit = domain::parse_rate(limit), .redis = url_through(gate.port()), .key = key()};
    }

    /// All of them ask all the time, as busy lanes do. How many requests may start.
    std::vector<int> run(std::chrono::milliseconds length, Clock::duration* longest_wait = nullptr) {
        std::vector<int> passed(workers.size());
        std::vector<std::jthread> lanes;
        const auto until = Clock::now() + length;
        std::mutex mutex;
        for (std::size_t i = 0; i < workers.size(); ++i) {
            lanes.emplace_back([&, i] {
                auto last = Clock::now();
                for (auto now = last; now < until; now = Clock::now()) {
                    const auto wait = workers[i].rate.take(now, 100);
                    if (wait == 0ns) {
                        ++passed[i];
                        const std::lock_guard lock(mutex);
                        if (longest_wait) *longest_wait = std::max(*longest_wait, now - last);
                        last = now;
                    } else {
                        std::this_thread::sleep_for(std::min<std::chrono::nanoseconds>(wait, 20ms));
                    }
                }
            });
        }
        lanes.clear();
        return passed;
    }

    bool all_shared(bool expected) {
        return eventually([&] {
            run(5ms);
            return std::ranges::all_of(workers, [&](Worker& one) { return one.shared() == expected; });
        });
    }
};

int sum(const std::vector<int>& counts) {
    return std::accumulate(counts.begin(), counts.end(), 0);
}

// A rate over this time, and what may come a little late out of the time before.
int most(int rate, std::chrono::milliseconds length) {
    return static_cast<int>(rate *
                            std::chrono::duration<double>(length + domain::SlotsInHand::grace).count()) +
           20;
}

}  // namespace

TEST_CASE_METHOD(Fixture, "three workers together keep the rate, whoever of them has work") {
    start(3, "300/s");
    REQUIRE(all_shared(true));
    const auto passed = run(3s);
    CHECK(sum(passed) <= most(300, 3s));
    // Slow machines may miss some.
    CHECK(sum(passed) > 450);
    for (const int one : passed) CHECK(one > 100);

    workers.pop_back();
    workers.pop_back();
    const auto alone = run(2s);
    CHECK(sum(alone) > 300);
    CHECK(sum(alone) <= most(300, 2s));
}

TEST_CASE_METHOD(Fixture, "slots come in blocks and not one by one") {
    start(1, "1000/s");
    REQUIRE(all_shared(true));
    auto& calls = workers[0].registry.counter("redis_calls_total", "", {{"result", "ok"}});
    const auto before = calls.Value();
    const int passed = sum(run(1s));
    CHECK(passed > 300);
    CHECK(calls.Value() - before < passed / 5.0);
}

TEST_CASE_METHOD(Fixture, "without Redis each has its share, and nobody waits for a Redis that is slow") {
    start(3, "300/s");
    REQUIRE(all_shared(true));
    SECTION("it is silent") {
        gate.stall();
    }
    SECTION("it is away") {
        gate.refuse();
    }
    run(100ms);
    Clock::duration longest_wait{};
    const auto passed = run(2s, &longest_wait);
    for (const int one : passed) CHECK(one > 100);
    CHECK(sum(passed) <= most(300, 2s));
    CHECK(longest_wait < 500ms);
    CHECK(all_shared(false));
    const auto state = workers[0].rate.check().run();
    CHECK(state.ok);
    CHECK_THAT(state.detail, Catch::Matchers::Contains("a share of 1 in 3"));

    gate.forward();
    CHECK(all_shared(true));
    CHECK(sum(run(2s)) <= most(300, 2s));
    CHECK(workers[0].rate.check().run().detail == "shared through Redis");
}

TEST_CASE_METHOD(
    Fixture, "a Redis that is away from the start, or refuses the password, costs nothing but the sharing") {
    auto settings = this->settings("300/s");
    SECTION("away") {
        gate.refuse();
    }
    SECTION("password") {
        settings.redis->user = "nobody";
        settings.redis->password = "wrong";
    }
    workers.emplace_back(settings, 2);
    Clock::duration longest_wait{};
    const int passed = sum(run(2s, &longest_wait));
    CHECK(passed > 100);
    CHECK(passed <= most(150, 2s));
    CHECK(longest_wait < 500ms);
    CHECK_FALSE(workers[0].shared());
    CHECK(workers[0].registry.counter("redis_calls_total", "", {{"result", "failed"}}).Value() > 0);
}

TEST_CASE_METHOD(Fixture, "without traffic Redis is hardly asked") {
    start(1, "300/s");
    REQUIRE(all_shared(true));
    auto& calls = workers[0].registry.counter("redis_calls_total", "", {{"result", "ok"}});
    const auto before = calls.Value();
    std::this_thread::sleep_for(1s);
    CHECK(calls.Value() - before <= 2);
}

TEST_CASE_METHOD(Fixture, "the share follows the number of consumers") {
    workers.emplace_back(worker::RateSettings{.limit = domain::parse_rate("300/s"), .redis = {}, .key = {}},
                         1);
    auto& share = workers[0].registry.gauge("provider_rate_share", "");
    CHECK(share.Value() == Approx(300).margin(0.1));
    workers[0].rate.set_consumers(3);
    CHECK(share.Value() == Approx(100).margin(0.1));
    CHECK(workers[0].rate.startable(13s) == 1'300);
    const int passed = sum(run(1s));
    CHECK(passed <= most(100, 1s));
    CHECK(passed > 50);
}
