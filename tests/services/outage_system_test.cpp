// Servers that go away or forget while work is under way: it waits in the ledger, and each message goes out
// once.

#include <catch2/catch.hpp>
#include <fstream>

#include "tests/services/drill.hpp"

using namespace drill;

namespace {

const std::string connections_made = R"(broker_connections_total{change="made"})";

constexpr postgres::Statement expired_leases{
    "expired_leases",
    "SELECT count(*)::int FROM message_logs WHERE status = 'SENDING' AND lease_until < clock_timestamp()"};

// AddressSanitizer keeps what is freed.
#ifdef __SANITIZE_ADDRESS__
constexpr long megabytes_of_noise = 200;
#else
constexpr long megabytes_of_noise = 16;
#endif

long resident_megabytes(support::Service& service) {
    std::ifstream statm("/proc/" + std::to_string(service.process().pid()) + "/statm");
    long pages = 0;
    statm >> pages >> pages;
    return pages / 256;
}

}  // namespace

TEST_CASE("a broker lost in the middle of a publish costs no message and sends none twice (H06)") {
    System system(System::Provider::naive);
    TcpGate gate("127.0.0.1", system.broker_port());
    system.add({.count = 500});
    const auto scheduler =
        system.start("scheduler-svc", {{"AMQP_URL", system.amqp_url_through(gate.port())}});
    gate.cut_after(20'000);
    system.set_clock(nine);
    REQUIRE(eventually([&] { return system.count(Status::queued) == 500; }, 20s));
    const auto hints = system.broker.ready(system.queue()).value_or(0);
    CHECK(hints > 500);
    CHECK(gate.accepted() >= 2);

    const auto worker = system.start("worker-svc");
    REQUIRE(system.sent(500));
    CHECK(eventually([&] { return metric(worker, nothing_to_claim) >= hints - 500; }));
    CHECK(system.compare() == Comparison{.delivered = 500});
}

TEST_CASE("while the broker is away what falls due stays in the ledger (H06)") {
    constexpr int people = 3'000;
    System system(System::Provider::naive);
    TcpGate gate("127.0.0.1", system.broker_port());
    const Environment gated{{"AMQP_URL", system.amqp_url_through(gate.port())}};
    auto scheduler = system.start("scheduler-svc", gated);
    const auto worker = system.start("worker-svc", gated);
    system.add({.count = people});
    gate.refuse();
    const auto before = resident_megabytes(scheduler);
    system.set_clock(nine);
    const std::string rounds = R"(loop_rounds_total{loop="dispatcher",result="failed"})";
    const auto failed = metric(scheduler, rounds);
    REQUIRE(eventually([&] { return metric(scheduler, rounds) >= failed + 5; }, 30s));
    CHECK(system.count(Status::scheduled) == people);
    CHECK(resident_megabytes(scheduler) - before < megabytes_of_noise);
    CHECK(support::http_get(scheduler.ops_port(), "/readyz").status == 503);

    gate.forward();
    REQUIRE(system.sent(people));
    CHECK(system.compare() == Comparison{.delivered = people});
}

TEST_CASE("hints that the broker lost are published again") {
    System system(System::Provider::naive);
    system.add({.count = 3});
    const auto scheduler = system.start("scheduler-svc");
    system.set_clock(nine);
    REQUIRE(eventually([&] { return system.count(Status::queued) == 3; }));
    for (int n = 0; n < 3; ++n) REQUIRE(system.broker.take(system.queue()));
    const auto worker = system.start("worker-svc");
    REQUIRE(system.sent(3));
    CHECK(system.compare() == Comparison{.delivered = 3});
    CHECK(system.requests().size() == 3);
}

TEST_CASE("what was recorded and not acked is redelivered and not sent again") {
    System system(System::Provider::naive);
    TcpGate gate("127.0.0.1", system.broker_port());
    system.provider.play(R"({"rules": [{"delay_ms": 500}]})");
    system.add({.count = 5});
    const auto scheduler = system.start("scheduler-svc");
    const auto worker = system.start("worker-svc", {{"AMQP_URL", system.amqp_url_through(gate.port())}});
    system.set_clock(nine);
    REQUIRE(eventually([&] { return system.provider.summary().requests == 5; }));
    gate.stall();
    REQUIRE(system.sent(5));
    gate.cut();
    gate.forward();
    REQUIRE(eventually([&] { return metric(worker, nothing_to_claim) == 5; }));
    CHECK(system.requests().size() == 5);
    CHECK(system.compare() == Comparison{.delivered = 5});
}

TEST_CASE("a success in hand while the database is away is recorded when it is back") {
    System system(System::Provider::naive);
    TcpGate gate("127.0.0.1", system.database.port());
    system.provider.play(R"({"rules": [{"delay_ms": 500}]})");
    system.add({.count = 5});
    const auto scheduler = system.start("scheduler-svc");
    const auto worker =
        system.start("worker-svc", {{"DATABASE_URL", support::through(system.database.url(), gate.port())}});
    system.set_clock(nine);
    REQUIRE(eventually([&] { return system.provider.summary().requests == 5; }));
    gate.refuse();
    // Longer than the lease: the rescue has taken them back, and the worker has their new hints in hand.
    REQUIRE(eventually(
        [&] { return system.count(Status::queued) == 5 && system.broker.ready(system.queue()) == 0U; }));
    for (const auto& row : system.ledger()) CHECK(row.rescues == 1);
    gate.forward();
    REQUIRE(system.sent(5));
    CHECK(eventually([&] { return metric(worker, nothing_to_claim) == 5; }));
    CHECK(system.requests().size() == 5);
    CHECK(system.compare() == Comparison{.delivered = 5});
}

TEST_CASE(
    "a success in hand while the database is away longer than a lease is not sent again by another worker") {
    System system(System::Provider::naive);
    TcpGate gate("127.0.0.1", system.database.port());
    const Environment gated{{"DATABASE_URL", support::through(system.database.url(), gate.port())}};
    system.provider.play(R"({"rules": [{"delay_ms": 500}]})");
    system.add({.count = 20});
    const auto scheduler = system.start("scheduler-svc", gated);
    const auto one = system.start("worker-svc", gated);
    const auto other = system.start("worker-svc", gated);
    system.set_clock(nine);
    REQUIRE(eventually([&] { return system.provider.summary().requests == 20; }));
    gate.refuse();
    const auto leases_over = [&] { return system.sql.run(expired_leases).front().get<int>(0) == 20; };
    REQUIRE(eventually(leases_over, 20s));
    gate.forward();
    REQUIRE(system.sent(20));
    CHECK(system.requests().size() == 20);
    CHECK(system.compare() == Comparison{.delivered = 20});
}

TEST_CASE("hints do not pile up while the database is away and the broker comes and goes") {
    constexpr int hints = 2'000;
    constexpr double prefetch = 20 * 50;
    constexpr double one_batch = 256;
    System system(System::Provider::naive);
    TcpGate database("127.0.0.1", system.database.port());
    TcpGate broker("127.0.0.1", system.broker_port());
    system.add({.count = hints});
    const auto scheduler = system.start("scheduler-svc");
    const auto worker = system.start(
        "worker-svc", {{"DATABASE_URL", support::through(system.database.url(), database.port())},
                       {"AMQP_URL", system.amqp_url_through(broker.port())},
                       {"DELIVERY_LEASE", "60s"}});
    database.refuse();
    system.set_clock(nine);
    for (int cuts = 0; cuts < 5; ++cuts) {
        CAPTURE(cuts);
        REQUIRE(eventually([&] { return metric(worker, "hints_waiting") >= prefetch; }, 20s));
        CHECK(metric(worker, "hints_waiting") <= prefetch + one_batch);
        const auto made = metric(worker, connections_made);
        broker.cut();
        REQUIRE(eventually([&] { return metric(worker, connections_made) > made; }, 20s));
    }
    database.forward();
    REQUIRE(system.sent(hints));
    CHECK(system.compare() == Comparison{.delivered = hints});
}
