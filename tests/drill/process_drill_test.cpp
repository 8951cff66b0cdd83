// What the machine does to a process: signals, a clock that is wrong, no files left.

#include <sys/resource.h>

#include <catch2/catch.hpp>
#include <filesystem>

#include "tests/drill/faults.hpp"

namespace {

using namespace drill;
using support::Service;

constexpr int interrupted = 130;
const std::string superseded = R"(deliveries_total{outcome="SUPERSEDED"})";

// Debian's package `faketime`. Durations inside a process go by a clock that nobody sets.
const std::string fake_clock = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1";

Environment an_hour_fast(Environment settings = {}) {
    settings.insert({{"LD_PRELOAD", fake_clock}, {"FAKETIME", "+1h"}, {"FAKETIME_DONT_FAKE_MONOTONIC", "1"}});
    return settings;
}

/// From now on it can open nothing, and keeps what it has.
class NoFiles {
public:
    explicit NoFiles(Service& service) : pid_(service.process().pid()) {
        ::prlimit(pid_, RLIMIT_NOFILE, nullptr, &before_);
        const rlimit none{.rlim_cur = 4, .rlim_max = before_.rlim_max};
        if (::prlimit(pid_, RLIMIT_NOFILE, &none, nullptr) != 0) throw std::runtime_error("prlimit");
    }
    ~NoFiles() { ::prlimit(pid_, RLIMIT_NOFILE, &before_, nullptr); }
    NoFiles(const NoFiles&) = delete;
    NoFiles& operator=(const NoFiles&) = delete;

private:
    pid_t pid_;
    rlimit before_{};
};

}  // namespace

TEST_CASE("a service whose clock is an hour fast sends nothing early") {
    REQUIRE(std::filesystem::exists(fake_clock));
    const std::string fast = GENERATE("scheduler-svc", "worker-svc");
    CAPTURE(fast);
    System system(Provider::naive);
    Faults faults(system);
    system.add({.count = 20});
    const auto start = [&](const std::string& program) {
        return system.start(program, program == fast ? an_hour_fast(patient) : patient);
    };
    const auto scheduler = start("scheduler-svc");
    const auto worker = start("worker-svc");
    system.set_clock("2027-03-10T08:30:00Z");
    const std::string rounds = R"(loop_rounds_total{loop="dispatcher",result="ok"})";
    const auto before = metric(scheduler, rounds);
    REQUIRE(eventually([&] { return metric(scheduler, rounds) > before + 6; }, 30s));
    CHECK(system.requests().empty());
    CHECK(system.count(Status::scheduled) == 20);
    system.set_clock("2027-03-10T08:59:58Z");
    REQUIRE(system.sent(20));
    CHECK(system.requests().size() == 20);
    CHECK(faults.verdict().holds());
}

TEST_CASE("a second signal ends a program at once, whose messages others finish") {
    const int second = GENERATE(SIGTERM, SIGINT);
    CAPTURE(second);
    System system;
    Faults faults(system, Provider::idempotent);
    system.provider.play(R"({"rules": [{"times": 40, "delay_ms": 900}]})");
    system.add({.count = 200});
    auto scheduler = system.start("scheduler-svc");
    auto impatient = system.start("worker-svc");
    system.set_clock(nine);
    REQUIRE(eventually([&] { return metric(impatient, "deliveries_in_flight") > 0; }));
    faults.excuse("a second signal", [&] {
        for (auto* service : {&scheduler, &impatient}) {
            service->process().send_signal(SIGTERM);
            REQUIRE(
                eventually([&] { return service->process().log().find("stopping") != std::string::npos; }));
            service->process().send_signal(second);
            const int code = service->process().wait_for_exit(2s);
            // A scheduler may have been done with the first.
            CHECK((code == interrupted || (service == &scheduler && code == 0)));
        }
    });
    const auto next = system.start("scheduler-svc");
    const auto worker = system.start("worker-svc");
    REQUIRE(system.sent(200));
    const auto verdict = faults.verdict();
    CAPTURE(verdict);
    CHECK(verdict.holds());
}

TEST_CASE("a worker that is stopped past its leases and goes on sends nothing of what it had") {
    System system(Provider::naive);
    Faults faults(system);
    system.provider.play(R"({"rules": [{"delay_ms": 100}]})");
    system.add({.count = 300});
    const auto scheduler = system.start("scheduler-svc");
    const auto stopped = system.start("worker-svc", {{"QUEUE_CONCURRENCY", "2"}});
    system.set_clock(nine);
    REQUIRE(system.delivered(10));
    // Some are under way and others wait with a lease.
    const auto in_hand = system.count(Status::sending);
    CHECK(in_hand > 2);
    std::size_t requests = 0;
    faults.excuse("the worker was stopped", [&] {
        stopped.process().send_signal(SIGSTOP);
        const auto worker = system.start("worker-svc");
        // Others take over what it has claimed, and what only lies in its hands.
        // Stopped within a transaction, it keeps its rows for the minute that the server lets it.
        REQUIRE(system.sent(300, 150s));
        requests = system.requests().size();
        stopped.process().send_signal(SIGCONT);
        // It learns that the answers it finds are of attempts that are over, and that nothing is left to
        // claim.
        REQUIRE(eventually([&] {
            return metric(stopped, superseded) > 0 && metric(stopped, nothing_to_claim) > 0 &&
                   metric(stopped, "deliveries_in_flight") == 0;
        }));
    });
    CHECK(system.requests().size() == requests);
    const auto verdict = faults.verdict();
    CAPTURE(verdict);
    // Only what was sent and not yet recorded when it was stopped may have gone out twice.
    CHECK(verdict.holds());
}

TEST_CASE("a worker without files to open gives up no message and works again when it has some") {
    System system(Provider::naive);
    Faults faults(system);
    TcpGate broker("127.0.0.1", system.broker_port());
    TcpGate provider("127.0.0.1", system.provider.port());
    Hours hours(system, 2, 50);
    const auto scheduler = system.start("scheduler-svc");
    auto settings = patient;
    settings.insert({{"AMQP_URL", system.amqp_url_through(broker.port())},
                     {"PROVIDER_URL", "http://127.0.0.1:" + std::to_string(provider.port())}});
    auto worker = system.start("worker-svc", settings);
    hours.strike();
    REQUIRE(system.sent(50));
    {
        const NoFiles none(worker);
        provider.cut();
        hours.strike();
        REQUIRE(eventually([&] { return system.count(Status::retrying) == 50; }, 20s));
        int without = 0;
        for (const auto& row : system.ledger()) {
            CHECK(row.failures == 0);
            CHECK_FALSE(row.in_doubt);
            without += row.error.starts_with("no_resources") ? 1 : 0;
        }
        CHECK(without > 0);
        broker.cut();
        for (int probe = 0; probe < 5; ++probe)
            CHECK_THROWS(support::HttpClient(worker.ops_port(), 200ms).request("GET", "/livez"));
        CHECK(worker.process().running());
    }
    REQUIRE(eventually([&] { return is_ready(worker); }, 30s));
    REQUIRE(system.sent(100, 90s));
    CHECK(faults.verdict().holds());
}
