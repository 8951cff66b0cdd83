// The broker breaks in every way it can: messages wait in the ledger, what it has lost is published again
// once, and nobody is written to twice.

#include <catch2/catch.hpp>
#include <deque>

#include "libcore/rabbitmq/error.hpp"
#include "libcore/rabbitmq/publisher.hpp"
#include "libcore/rabbitmq/queue_watch.hpp"
#include "tests/drill/faults.hpp"
#include "tests/libcore/http/tls_server.hpp"
#include "tests/support/servers/broker_server.hpp"

namespace {

using namespace drill;
using Catch::Matchers::Contains;
using support::BrokerServer;
using support::Service;

const std::string hints_lost = R"(messages_rescued_total{what="hint_lost"})";
const std::string dispatcher_failures = R"(loop_rounds_total{loop="dispatcher",result="failed"})";

// The ledger has work left when the fault comes, and the queue has some.
const Environment shallow{{"QUEUE_HIGH_WATER", "200"}};

constexpr postgres::Statement longest_transaction{
    "longest_transaction",
    "SELECT coalesce(max(extract(epoch FROM clock_timestamp() - xact_start)), 0)::float8 FROM "
    "pg_stat_activity "
    "WHERE datname = current_database() AND application_name = 'scheduler-svc'"};

int published_and_not_claimed(System& system) {
    return system.count(Status::queued);
}

}  // namespace

TEST_CASE("a broker that restarts, dies, and loses its queues or its data costs no message") {
    BrokerServer server;
    System system(Provider::naive, {.database = {}, .broker = server.url()});
    Faults faults(system);
    Hours hours(system, 4, 600);
    const auto scheduler = system.start("scheduler-svc", shallow);
    auto worker = system.start("worker-svc", patient);

    REQUIRE(hours.under_way());
    server.stop();
    server.start();
    REQUIRE(system.sent(hours.people()));

    REQUIRE(hours.under_way());
    server.kill();
    server.start();
    REQUIRE(system.sent(hours.people()));
    CHECK(metric(scheduler, hints_lost) == 0);

    REQUIRE(hours.under_way());
    system.broker.remove(system.queue());
    system.broker.remove(system.broker.settings().topology.dead());
    REQUIRE(system.sent(hours.people()));

    // Nobody has taken them yet.
    worker.stop();
    hours.strike();
    REQUIRE(eventually([&] { return published_and_not_claimed(system) >= 100; }, 30s));
    server.kill();
    const auto lost_before = metric(scheduler, hints_lost);
    const int in_queue = published_and_not_claimed(system);
    server.wipe();
    server.start();
    const auto next = system.start("worker-svc", patient);
    REQUIRE(system.sent(hours.people()));
    CHECK(metric(scheduler, hints_lost) - lost_before == in_queue);

    CHECK(hints_are_accounted_for(system, scheduler));
    const auto verdict = faults.verdict();
    CAPTURE(verdict);
    CHECK(verdict.holds());
    CHECK(verdict.duplicated == 0);
}

TEST_CASE(
    "a broker without memory or disk takes nothing, which readiness tells, and everything when it has some") {
    BrokerServer server;
    System system(Provider::naive, {.database = {}, .broker = server.url()});
    Faults faults(system);
    Hours hours(system, 2, 100);
    const auto scheduler = system.start("scheduler-svc");
    const auto worker = system.start("worker-svc", patient);

    const auto is_refused = [&](const char* alarm) {
        hours.strike();
        REQUIRE(eventually([&] { return readiness(scheduler).find(alarm) != std::string::npos; }, 20s));
        CHECK_THAT(readiness(scheduler), Contains("the broker blocks publishing"));
        const auto failures = metric(scheduler, dispatcher_failures);
        double longest = 0;
        bool ever_ready = false;
        REQUIRE(eventually(
            [&] {
                longest = std::max(longest, system.sql.run(longest_transaction).front().get<double>(0));
                ever_ready = ever_ready || is_ready(scheduler);
                return metric(scheduler, dispatcher_failures) >= failures + 3;
            },
            40s));
        // Rolled back when the broker says so, at the latest after 2 s; and no attempt in between looks well.
        CHECK(longest < 3);
        CHECK_FALSE(ever_ready);
        CHECK(metric(scheduler, "broker_ready") == 0);
        CHECK(system.count(Status::sent) < hours.people());
    };
    server.control({"set_vm_memory_high_watermark", "0.00001"});
    is_refused("low on memory");
    server.control({"eval",
                    "rabbit_disk_monitor:set_disk_free_limit(\"100000GB\"), "
                    "vm_memory_monitor:set_vm_memory_high_watermark(0.4)."});
    is_refused("low on disk");
    CHECK(support::http_get(scheduler.ops_port(), "/livez").status == 200);
    server.control({"set_disk_free_limit", "50MB"});
    REQUIRE(system.sent(hours.people()));
    CHECK(eventually([&] { return is_ready(scheduler) && metric(scheduler, "broker_ready") == 1; }));
    CHECK(faults.verdict().holds());
}

namespace {

/// The broker hears everything and its confirms come to nothing.
void lose_confirms(std::chrono::seconds span) {
    System system(Provider::naive);
    Faults faults(system);
    TcpGate gate("127.0.0.1", system.broker_port());
    system.add({.count = 500});
    const auto scheduler =
        system.start("scheduler-svc", {{"AMQP_URL", system.amqp_url_through(gate.port())}});
    const auto worker = system.start("worker-svc", patient);
    const auto failures = metric(scheduler, dispatcher_failures);
    // More than it takes to connect and to ask for the depth, less than the batch.
    gate.stall_answers(8'000);
    system.set_clock(nine);
    const auto begin = std::chrono::steady_clock::now();
    REQUIRE(eventually([&] { return std::chrono::steady_clock::now() - begin > span; }, 2 * span));
    CHECK(metric(scheduler, dispatcher_failures) > failures);
    CHECK(metric(scheduler, "messages_dispatched_total") == 0);
    CHECK(system.count(Status::scheduled) == 500);
    CHECK(system.requests().empty());
    gate.forward();
    REQUIRE(system.sent(500));
    CHECK(system.requests().size() == 500);
    CHECK(faults.verdict().holds());
    // Each failed round has left at most one copy of the batch, and on a slow machine a rescue some.
    CHECK(eventually([&] { return metric(worker, nothing_to_claim) > 0; }));
    CHECK(metric(worker, nothing_to_claim) <=
          500 * (metric(scheduler, dispatcher_failures) - failures) + metric(scheduler, hints_lost));
}

}  // namespace

TEST_CASE("messages whose confirms do not come stay in the ledger and go out once") {
    lose_confirms(7s);
}

TEST_CASE("a minute without confirms costs no message and sends none twice", "[.long]") {
    lose_confirms(60s);
}

TEST_CASE("hints are published and counted over TLS, and to no server that another certificate speaks for") {
    const support::Certificate certificate;
    certificate.let_others_read();
    const int port = support::free_port();
    const BrokerServer server(1, "listeners.ssl.default = " + std::to_string(port) +
                                     "\nssl_options.certfile = " + certificate.certificate() +
                                     "\nssl_options.keyfile = " + certificate.key() + "\n");
    rabbitmq::Settings settings;
    settings.url = rabbitmq::parse_url(server.url());
    settings.url.host = "localhost";
    settings.url.port = static_cast<std::uint16_t>(port);
    settings.url.tls = true;
    settings.ca_certificates = certificate.certificate();
    std::vector<std::string> hints;
    for (int i = 0; i < 1'000; ++i) hints.push_back(std::string(300, '.') + std::to_string(i));
    rabbitmq::Publisher(settings).publish(hints, 10s);
    CHECK(rabbitmq::QueueWatch(settings).look(10s).ready == hints.size());

    const support::Certificate other;
    settings.ca_certificates = other.certificate();
    CHECK_THROWS_AS(rabbitmq::Publisher(settings).publish(hints, 10s), rabbitmq::BrokerError);
}

TEST_CASE("hints that a worker holds for longer than the broker allows come again and send nothing twice") {
    BrokerServer server(1, "consumer_timeout = 1000\n");
    server.control({"eval", "application:set_env(rabbit, channel_tick_interval, 500)."});
    System system(Provider::naive, {.database = {}, .broker = server.url()});
    Faults faults(system);
    system.provider.play(R"({"rules": [{"delay_ms": 3000}]})");
    system.add({.count = 30});
    const auto scheduler = system.start("scheduler-svc");
    const auto worker = system.start("worker-svc", patient);
    system.set_clock(nine);
    REQUIRE(system.sent(30));
    CHECK(metric(worker, R"(broker_connections_total{change="lost"})") > 0);
    CHECK_THAT(worker.process().log(), Contains("PRECONDITION_FAILED"));
    CHECK(eventually([&] { return metric(worker, nothing_to_claim) >= 20; }));
    CHECK(system.requests().size() == 30);
    CHECK(faults.verdict().holds());
}

namespace {

/// Two schedulers and two workers, each at a node, while one node after the other dies and comes back.
void kill_nodes(int kills, std::chrono::seconds every, int people) {
    BrokerServer cluster(3);
    System system(Provider::naive, {.database = {}, .broker = cluster.url()});
    Faults faults(system);
    Hours hours(system, kills, people);
    const auto at_node = [&](int node, Environment settings) {
        settings["AMQP_URL"] = cluster.url(node);
        return settings;
    };
    std::deque<Service> services;
    services.emplace_back("scheduler-svc", system.environment(at_node(0, shallow)));
    services.emplace_back("scheduler-svc", system.environment(at_node(1, shallow)));
    services.emplace_back("worker-svc", system.environment(at_node(1, patient)));
    services.emplace_back("worker-svc", system.environment(at_node(2, patient)));
    for (int kill = 0; kill < kills; ++kill) {
        CAPTURE(kill);
        const auto begin = std::chrono::steady_clock::now();
        REQUIRE(hours.under_way());
        cluster.kill(kill % 3);
        // The two that are left have a majority: nothing waits for the third.
        REQUIRE(system.sent(hours.people(), 120s));
        if (kill + 1 == kills) break;
        cluster.start(kill % 3);
        REQUIRE(eventually([&] { return std::chrono::steady_clock::now() - begin > every; }, 2 * every));
    }
    const auto verdict = faults.verdict();
    CAPTURE(verdict);
    CHECK(verdict.holds());
    CHECK(verdict.duplicated == 0);
}

}  // namespace

TEST_CASE("one node of three that dies costs no message") {
    kill_nodes(1, 0s, 600);
}

TEST_CASE("three nodes of which one dies every half minute lose no message", "[.long]") {
    kill_nodes(10, 30s, 5'000);
}
