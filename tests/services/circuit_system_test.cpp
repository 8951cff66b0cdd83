// The circuit of a real worker: what it does with what it holds, and an operator's hand on it.

#include <catch2/catch.hpp>
#include <cmath>
#include <csignal>

#include "libcore/json/parser.hpp"
#include "tests/services/drill.hpp"

namespace {

using namespace drill;
using Catch::Matchers::Contains;
using support::Service;

support::HttpReply post(const Service& worker, const std::string& body, support::HttpHeaders headers = {}) {
    headers.emplace_back("Content-Type", "application/json");
    return support::HttpClient(worker.ops_port()).request("POST", "/circuit", body, headers);
}

std::string state(const Service& worker) {
    const auto reply = support::http_get(worker.ops_port(), "/circuit");
    return *json::parse(reply.body).value().find("state")->string();
}

// What comes after it has given back stays in its hands for ever longer.
constexpr auto soon = 40s;

bool all_in_the_ledger(System& system, const Service& worker, int messages) {
    return eventually(
        [&] {
            return system.count(Status::retrying) == messages && system.broker.ready(system.queue()) == 0U &&
                   metric(worker, "hints_waiting") == 0;
        },
        soon);
}

}  // namespace

TEST_CASE("while its circuit is open a worker claims nothing and gives everything back to the ledger") {
    constexpr int people = 400;
    System system(System::Provider::naive);
    system.provider.play(R"({"rules": [{"status": 503}]})");
    system.add({.count = people});
    const auto scheduler = system.start("scheduler-svc");
    const auto worker = system.start("worker-svc");
    system.set_clock(nine, 0);
    const std::string opened = R"(delivery_circuit_opened_total{cause="outages_in_a_row"})";
    REQUIRE(eventually([&] { return metric(worker, opened) == 1; }));
    // By itself it would probe after 30 s, which a slow machine takes for less than what follows.
    REQUIRE(post(worker, R"({"state": "open", "for": "1h"})").status == 200);
    REQUIRE(all_in_the_ledger(system, worker, people));
    CHECK(system.provider.summary().requests < 40);
    CHECK(metric(worker, R"(hints_total{result="given_back"})") +
              metric(worker, R"(deliveries_total{outcome="GIVEN_BACK"})") >
          people - 40);

    // What is due again meanwhile goes the same way, without a claim and without a request.
    const auto requests = system.provider.summary().requests;
    const auto claimed = metric(worker, R"(hints_total{result="claimed"})");
    const auto given_back = metric(worker, R"(hints_total{result="given_back"})");
    system.set_clock("2027-03-10T09:02:00Z", 0);
    REQUIRE(eventually(
        [&] { return metric(worker, R"(hints_total{result="given_back"})") >= given_back + people; }, soon));
    REQUIRE(all_in_the_ledger(system, worker, people));
    CHECK(system.provider.summary().requests == requests);
    CHECK(metric(worker, R"(hints_total{result="claimed"})") == claimed);
    CHECK(system.broker.ready(system.broker.settings().topology.dead()) == 0U);
    CHECK(support::http_get(worker.ops_port(), "/readyz").status == 200);

    system.provider.play("{}");
    REQUIRE(post(worker, R"({"state": "closed", "for": "10m"})").status == 200);
    system.set_clock("2027-03-10T09:10:00Z");
    REQUIRE(system.sent(people));
    CHECK(system.compare() == Comparison{.delivered = people});
    for (const auto& row : system.ledger()) CHECK(row.failures == 0);
}

TEST_CASE("a worker whose circuit is open leaves the queue to those that can send") {
    constexpr int people = 1'000;
    System system(System::Provider::naive);
    // The other one works for three seconds at the least.
    system.provider.play(R"({"rules": [{"delay_ms": 10}]})");
    system.add({.count = people});
    const auto scheduler = system.start("scheduler-svc");
    // Each holds 100 hints at once, and gives back what it holds after 1, 2, 4 s.
    const std::string given_back = R"(hints_total{result="given_back"})";
    const Environment small{{"QUEUE_CONCURRENCY", "1"}};
    const auto closed = system.start("worker-svc", small);
    REQUIRE(post(closed, R"({"state": "open", "for": "10m"})").status == 200);
    const auto worker = system.start("worker-svc", small);
    const auto begin = std::chrono::steady_clock::now();
    system.set_clock(nine, 0);
    CHECK(system.delivered(people / 3));
    REQUIRE(eventually([&] { return metric(closed, given_back) > 0; }));
    const double hints = metric(closed, given_back);
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - begin;
    CHECK(hints <= 100 * (1 + std::log2(1 + elapsed.count())));
}

TEST_CASE("an operator opens the circuit over the operations port and closes it from a shell") {
    constexpr int people = 50;
    System system(System::Provider::naive);
    system.add({.count = people});
    const auto scheduler = system.start("scheduler-svc");
    auto worker = system.start("worker-svc");
    CHECK(state(worker) == "closed");
    REQUIRE(post(worker, R"({"state": "open", "for": "10m"})").status == 200);
    CHECK(state(worker) == "open");
    CHECK(metric(worker, "delivery_circuit_held") == 2);
    CHECK(metric(worker, "delivery_circuit_state") == 2);
    CHECK(eventually([&] {
        const auto reply = support::http_get(worker.ops_port(), "/readyz");
        return reply.status == 200 && reply.body.find("held by an operator until") != std::string::npos;
    }));
    system.set_clock(nine, 0);
    REQUIRE(all_in_the_ledger(system, worker, people));
    CHECK(system.requests().empty());

    const auto circuit = [&](std::vector<std::string> arguments) {
        arguments.insert(arguments.begin(), "circuit");
        return support::run("worker-svc", arguments,
                            system.environment({{"OPS_PORT", std::to_string(worker.ops_port())}}));
    };
    CHECK_THAT(circuit({}).output, Contains(R"("openedLastBy":"held")"));
    CHECK(circuit({"--set", "ajar"}).exit_code == 2);
    CHECK(circuit({"--set", "closed"}).exit_code == 2);
    CHECK(circuit({"--for", "10m"}).exit_code == 2);
    const auto done = circuit({"--set", "auto"});
    CHECK(done.exit_code == 0);
    CHECK_THAT(done.output, Contains(R"("state":"half_open")"));
    system.set_clock("2027-03-10T09:02:00Z");
    REQUIRE(system.sent(people));
    CHECK(state(worker) == "closed");
    CHECK(metric(worker, R"(delivery_circuit_holds_total{state="open"})") == 1);
    CHECK(metric(worker, R"(ops_changes_total{result="made"})") == 2);
    CHECK_THAT(worker.process().log(), Contains("an operator holds the provider's circuit") &&
                                           Contains("the provider's circuit goes by itself again"));
    worker.stop();
    CHECK(circuit({}).exit_code == 1);
}

TEST_CASE("an order to a worker that does not answer may be obeyed later, which the command says") {
    const System system;
    const auto worker = system.start("worker-svc");
    worker.process().send_signal(SIGSTOP);
    const auto ordered = support::run("worker-svc", {"circuit", "--set", "open", "--for", "10m"},
                                      system.environment({{"OPS_PORT", std::to_string(worker.ops_port())}}));
    worker.process().send_signal(SIGCONT);
    CHECK(ordered.exit_code == 1);
    CHECK_THAT(ordered.output, Contains("may obey yet"));
    CHECK(eventually([&] { return state(worker) == "open"; }));
}

TEST_CASE("whoever wants to hold the circuit of a worker with an admin token has to show it") {
    System system;
    const std::string token = "a-token-of-enough-length";
    const auto worker = system.start("worker-svc", {{"ADMIN_TOKEN", token}});
    const std::string open = R"({"state": "open", "for": "1m"})";
    CHECK(post(worker, open).status == 401);
    CHECK(post(worker, open, {{"Authorization", "Bearer another-token-of-some-length"}}).status == 401);
    CHECK(state(worker) == "closed");
    CHECK(post(worker, open, {{"Authorization", "Bearer " + token}}).status == 200);
    CHECK(state(worker) == "open");
    const auto closed = support::run(
        "worker-svc", {"circuit", "--set", "auto"},
        system.environment({{"OPS_PORT", std::to_string(worker.ops_port())}, {"ADMIN_TOKEN", token}}));
    CHECK(closed.exit_code == 0);
    CHECK_THAT(worker.process().log(), !Contains(token));
}
