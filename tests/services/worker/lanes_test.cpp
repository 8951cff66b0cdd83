// The lanes with jobs made by hand, against a real provider of the test's own.

#include "services/worker/lanes.hpp"

#include <atomic>
#include <catch2/catch.hpp>
#include <functional>
#include <future>
#include <mutex>
#include <thread>
#include <utility>

#include "tests/support/eventually.hpp"
#include "tests/support/sink/sink.hpp"

using namespace std::chrono_literals;
using domain::Breaker;
using support::eventually;
using worker::Clock;
using worker::Finished;
using worker::GivenBack;
using worker::Job;
using worker::Lanes;

namespace {

struct Fixture {
    sink::Sink provider;
    runtime::Registry registry{"test"};
    worker::Settings settings;
    std::mutex mutex;
    std::vector<Finished> finished;
    std::optional<Lanes> lanes;
    int jobs = 0;
    std::function<void()> on_finished = [] {};  ///< on the lanes' thread
    std::atomic<int> hungry = 0;

    Fixture() {
        settings.provider.url = http::parse_url(provider.url()).value();
        settings.provider.timeout = 5s;
        settings.lanes = 4;
        settings.lease = 60s;
    }

    void start(worker::ProviderRate* rate = nullptr) {
        lanes.emplace(settings, rate, registry,
                      Lanes::Ports{.finished =
                                       [this](Finished one) {
                                           {
                                               const std::lock_guard lock(mutex);
                                               finished.push_back(std::move(one));
                                           }
                                           on_finished();
                                       },
                                   .hungry = [this] { ++hungry; }});
    }

    void add(int count, std::chrono::milliseconds lease_left = 60s) {
        std::vector<Job> added;
        const auto now = Clock::now();
        for (int i = 0; i < count; ++i) {
            postgres::Claimed message;
            message.idempotency_key = "key-" + std::to_string(++jobs);
            message.recipient_email = "ada@example.com";
            message.content = "Hey";
            added.push_back({static_cast<std::uint64_t>(jobs), std::move(message), now, now + lease_left});
        }
        lanes->add(std::move(added));
    }

    int count() {
        const std::lock_guard lock(mutex);
        return static_cast<int>(finished.size());
    }

    int given_back() {
        const std::lock_guard lock(mutex);
        return static_cast<int>(std::ranges::count_if(
            finished, [](const Finished& one) { return std::holds_alternative<GivenBack>(one.result); }));
    }

    std::uint64_t requests() const { return provider.summary().requests; }

    Breaker::Report circuit() { return lanes->circuit({})->breaker; }
};

}  // namespace

TEST_CASE_METHOD(Fixture, "a job whose lease is too short for a request is given back and never written") {
    // A request may take the provider's deadline, and its outcome a tenth of the lease.
    settings.lease = 20s;
    start();
    add(10, 6'900ms);
    REQUIRE(eventually([&] { return count() == 10; }));
    CHECK(given_back() == 10);
    CHECK(requests() == 0);
    add(1, 20s);
    REQUIRE(eventually([&] { return count() == 11; }));
    CHECK(requests() == 1);
}

TEST_CASE_METHOD(Fixture, "a job whose lease becomes too short while it waits for a lane is given back") {
    settings.lanes = 1;
    settings.provider.timeout = 1s;
    settings.lease = 1s;
    provider.play(R"({"rules": [{"times": 1, "delay_ms": 500}]})");
    start();
    add(2, 1'400ms);
    REQUIRE(eventually([&] { return count() == 2; }));
    CHECK(given_back() == 1);
    CHECK(requests() == 1);
}

TEST_CASE_METHOD(Fixture, "room is what the lanes can start within a lease at the provider's pace") {
    settings.lanes = 2;
    settings.lease = 20s;
    settings.provider.timeout = 5s;
    start();
    // Nothing is known yet: a tenth of the deadline for each, 13 s in which to start, two lanes.
    CHECK(lanes->room() == 52);
    add(400);
    REQUIRE(eventually([&] { return count() == 400; }));
    CHECK(lanes->room() > 500);
    CHECK(lanes->room() <= 1'000);
    provider.play(R"({"rules": [{"delay_ms": 300}]})");
    for (int i = 0; i < 12; ++i) {
        const int before = count();
        add(2);
        REQUIRE(eventually([&] { return count() == before + 2; }));
    }
    CHECK(lanes->room() < 400);
    lanes->drain();
}

TEST_CASE_METHOD(Fixture, "while the circuit is open everything goes back to the ledger") {
    provider.play(R"({"rules": [{"status": 503}]})");
    start();
    add(5);
    REQUIRE(eventually([&] { return circuit().state == Breaker::State::open; }));
    CHECK(circuit().cause == Breaker::Cause::outages_in_a_row);
    const auto asked = requests();
    add(50);
    REQUIRE(eventually([&] { return count() == 55; }));
    CHECK(requests() == asked);
    CHECK(given_back() == 50);
    const std::lock_guard lock(mutex);
    for (const Finished& one : finished) {
        if (const auto* back = std::get_if<GivenBack>(&one.result)) CHECK(back->delay > 20s);
    }
}

TEST_CASE_METHOD(Fixture, "an operator closes an open circuit and opens a closed one") {
    provider.play(R"({"rules": [{"times": 5, "status": 503}]})");
    start();
    add(5);
    REQUIRE(eventually([&] { return circuit().state == Breaker::State::open; }));
    const auto closed = lanes->circuit(worker::CircuitOrder{Breaker::State::closed, 1min});
    REQUIRE(closed);
    CHECK(closed->breaker.state == Breaker::State::closed);
    add(20);
    REQUIRE(eventually([&] { return count() == 25; }));
    CHECK(given_back() == 0);

    lanes->circuit(worker::CircuitOrder{Breaker::State::open, 1min});
    add(20);
    REQUIRE(eventually([&] { return count() == 45; }));
    CHECK(given_back() == 20);
    // Left to itself, it asks with one request, then with more.
    const int asked = hungry;
    lanes->circuit(worker::CircuitOrder{});
    CHECK(hungry > asked);
    add(20);
    REQUIRE(eventually([&] { return count() == 65; }));
    CHECK(given_back() == 20);
    CHECK(circuit().state == Breaker::State::closed);
}

TEST_CASE_METHOD(Fixture, "an order that was not taken up in time is not obeyed later") {
    std::promise<void> goes_on;
    const auto until_then = goes_on.get_future().share();
    on_finished = [until_then] { until_then.wait(); };
    start();
    add(1);
    REQUIRE(eventually([&] { return count() == 1; }));
    CHECK_FALSE(lanes->circuit(worker::CircuitOrder{Breaker::State::open, 1min}));
    CHECK_FALSE(lanes->circuit({}));
    goes_on.set_value();
    REQUIRE(eventually([&] { return lanes->circuit({}).has_value(); }));
    CHECK(circuit().state == Breaker::State::closed);
    CHECK_FALSE(circuit().hold);
}

TEST_CASE_METHOD(Fixture, "a worker that was stopped blames no silent provider for the time") {
    settings.lanes = 6;
    settings.provider.timeout = 500ms;
    provider.play(R"({"rules": [{"times": 5, "delay_ms": 5000}, {"times": 1}, {"delay_ms": 5000}]})");
    // The first answer stops the thread until long after the other deadlines.
    on_finished = [stopped = false]() mutable {
        if (!std::exchange(stopped, true)) std::this_thread::sleep_for(1'500ms);
    };
    start();
    add(6);
    REQUIRE(eventually([&] { return count() == 6; }));
    CHECK(circuit().state == Breaker::State::closed);
    CHECK(circuit().outages < 5);

    // Silence that it was there to hear.
    REQUIRE(eventually([&] {
        add(6);
        return circuit().state == Breaker::State::open;
    }));
    CHECK(circuit().cause == Breaker::Cause::outages_in_a_row);
}

TEST_CASE_METHOD(Fixture, "a hold that ends by itself is seen to have ended") {
    start();
    lanes->circuit(worker::CircuitOrder{Breaker::State::open, 300ms});
    auto& held = registry.gauge("delivery_circuit_held", "");
    CHECK(held.Value() == 2);
    CHECK(eventually([&] { return held.Value() == 0; }));
}

TEST_CASE_METHOD(Fixture, "a drain does not wait for the end of a hold") {
    start();
    lanes->circuit(worker::CircuitOrder{Breaker::State::open, 1h});
    const auto began = Clock::now();
    lanes->drain();
    CHECK(Clock::now() - began < 5s);
    CHECK_FALSE(lanes->circuit({}));
}

TEST_CASE_METHOD(Fixture, "a provider that asks for a second gets one, and then one request before others") {
    provider.play(R"({"rules": [{"times": 1, "status": 429, "headers": {"Retry-After": "1"}},
                                {"delay_ms": 100}]})");
    start();
    add(1);
    REQUIRE(eventually([&] { return count() == 1; }));
    add(12);
    REQUIRE(eventually([&] { return count() == 13; }));
    CHECK(given_back() == 0);
    const auto entries = provider.entries();
    REQUIRE(entries.size() == 13);
    CHECK(entries[1].received_at - entries[0].received_at > 900ms);
    // Alone, until it is answered.
    CHECK(entries[2].received_at - entries[1].received_at > 90ms);
}

TEST_CASE_METHOD(Fixture, "a rate is kept and all that waits goes out at it") {
    runtime::Loops loops(registry, 1min);
    worker::ProviderRate rate({.limit = domain::parse_rate("50/s"), .redis = {}, .key = {}}, loops);
    start(&rate);
    add(100);
    REQUIRE(eventually([&] { return count() == 100; }, 20s));
    CHECK(given_back() == 0);
    const auto entries = provider.entries();
    const auto took = entries.back().received_at - entries.front().received_at;
    CHECK(took > 99 * 20ms - domain::SlotsInHand::grace - 20ms);
    auto& throttled = registry.counter("deliveries_throttled_seconds_total", "", {{"by", "rate"}});
    CHECK(throttled.Value() > 0.5);
    lanes.reset();
}

TEST_CASE_METHOD(Fixture, "with a low rate a worker claims only what it can start in time") {
    runtime::Loops loops(registry, 1min);
    worker::ProviderRate rate({.limit = domain::parse_rate("2/s"), .redis = {}, .key = {}}, loops);
    settings.lease = 20s;
    start(&rate);
    // 13 s at two a second.
    CHECK(lanes->room() == 26);
    rate.set_consumers(4);
    CHECK(lanes->room() == 6);
    rate.set_consumers(1'000);
    CHECK(lanes->room() == 1);
    lanes.reset();
}
