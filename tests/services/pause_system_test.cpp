// The emergency stop and opting out, on real services: what is stopped stays stopped, and nothing is lost or
// sent twice for it.

#include <catch2/catch.hpp>
#include <deque>

#include "libcore/json/parser.hpp"
#include "tests/services/drill.hpp"

namespace {

using namespace drill;
using Catch::Matchers::Contains;
using support::HttpReply;
using support::Service;

domain::Instant real_now() {
    return std::chrono::floor<std::chrono::microseconds>(std::chrono::system_clock::now());
}

HttpReply post(const Service& api, const std::string& target, const std::string& body = {}) {
    const support::HttpHeaders json{{"Content-Type", "application/json"}};
    return support::HttpClient(api.port())
        .request("POST", target, body, body.empty() ? support::HttpHeaders{} : json);
}

void pause(const Service& api, const std::string& more = {}) {
    const auto reply = post(api, "/api/v1/pause", R"({"reason": "a wrong text")" + more + "}");
    CAPTURE(reply.body);
    REQUIRE(reply.status == 200);
}

void resume(const Service& api) {
    REQUIRE(post(api, "/api/v1/resume").status == 200);
}

json::Value state(const Service& api) {
    return json::parse(support::http_get(api.port(), "/api/v1/pause").body).value();
}

int in_flight(System& system) {
    return system.count(Status::queued) + system.count(Status::sending);
}

auto requests_after(const System& system, domain::Instant instant) {
    const auto requests = system.requests();
    return std::ranges::count_if(requests, [&](const auto& one) { return one.received_at > instant; });
}

}  // namespace

TEST_CASE("a pause in the middle of 2000 deliveries stops them within a second and loses none") {
    // A provider that counts every request, and no lease that a slow machine could let run out.
    const Environment patient{
        {"PROVIDER_TIMEOUT", "10s"}, {"DELIVERY_LEASE", "30s"}, {"QUEUE_CONCURRENCY", "5"}};
    System system(System::Provider::naive);
    system.provider.play(R"({"rules": [{"delay_ms": 20}]})");
    system.add({.count = 2'000});
    const auto api = system.start("api-svc");
    std::optional<Service> scheduler(std::in_place, "scheduler-svc", system.environment(patient));
    std::optional<Service> killed(std::in_place, "worker-svc", system.environment(patient));
    const auto worker = system.start("worker-svc", patient);
    system.set_clock(nine);
    REQUIRE(system.delivered(500));
    REQUIRE(in_flight(system) > 100);

    pause(api);
    const auto confirmed_at = real_now();
    // All that the workers hold, and all that waits in the queue, is back in the ledger.
    REQUIRE(eventually([&] { return in_flight(system) == 0; }, 15s));
    CHECK(eventually([&] { return system.broker.ready(system.queue()) == 0U; }));
    killed->kill();
    scheduler->stop();
    scheduler.emplace("scheduler-svc", system.environment(patient));
    // Long enough for many rounds, and few enough of them that nobody spins.
    const std::string rounds = R"(loop_rounds_total{loop="dispatcher",result="ok"})";
    REQUIRE(eventually([&] { return metric(*scheduler, rounds) >= 40; }, 30s));
    CHECK(real_now() - confirmed_at > 2s);
    const auto sent_before = system.provider.summary().delivered;
    CHECK(sent_before < 2'000);
    CHECK(requests_after(system, confirmed_at + 1500ms) == 0);
    CHECK(system.count(Status::sent) == static_cast<int>(sent_before));
    CHECK(metric(worker, R"(hints_total{result="given_back"})") > 0);

    resume(api);
    REQUIRE(system.sent(2'000));
    CHECK(system.compare() == Comparison{.delivered = 2'000});
    for (const auto& row : system.ledger()) {
        CHECK(row.failures == 0);
        CHECK(row.rescues == 0);
        CHECK_FALSE(row.in_doubt);
    }
}

TEST_CASE("requests in flight at a pause are finished and recorded") {
    System system(System::Provider::naive);
    system.provider.play(R"({"rules": [{"delay_ms": 700}]})");
    system.add({.count = 50});
    const auto api = system.start("api-svc");
    const auto scheduler = system.start("scheduler-svc");
    const auto worker = system.start("worker-svc", {{"QUEUE_CONCURRENCY", "5"}});
    system.set_clock(nine);
    REQUIRE(eventually([&] { return metric(worker, "deliveries_in_flight") == 5; }));
    pause(api);
    REQUIRE(eventually([&] { return in_flight(system) == 0; }));
    const auto sent = system.count(Status::sent);
    CHECK(sent >= 5);
    CHECK(sent < 50);
    CHECK(system.requests().size() == static_cast<std::size_t>(sent));
    CHECK(state(api).find("messagesDue")->integer() == 50 - sent);
    resume(api);
    REQUIRE(system.sent(50));
    CHECK(system.compare() == Comparison{.delivered = 50});
}

TEST_CASE("a pause with an end goes on by itself when its time has come") {
    System system(System::Provider::naive);
    system.add({.count = 20});
    const auto api = system.start("api-svc");
    const auto scheduler = system.start("scheduler-svc");
    const auto worker = system.start("worker-svc");
    pause(api, R"(, "until": "2027-03-10T09:10:00Z")");
    system.set_clock(nine);
    REQUIRE(eventually([&] { return state(api).find("messagesDue")->integer() == 20; }));
    CHECK(system.requests().empty());
    system.set_clock("2027-03-10T09:10:00Z");
    const auto ended_at = real_now();
    REQUIRE(system.sent(20));
    CHECK(requests_after(system, ended_at + 2s) == 0);
    CHECK(system.compare() == Comparison{.delivered = 20});
    for (const auto& row : system.ledger()) CHECK(row.attempt == 1);
}

TEST_CASE("a pause is seen in every service and its reason in no log") {
    System system;
    std::deque<Service> services;
    for (const auto* program : {"api-svc", "scheduler-svc", "worker-svc"})
        services.emplace_back(program, system.environment());
    const Service& api = services.front();
    const auto ready = [](const Service& service) {
        const auto reply = support::http_get(service.ops_port(), "/readyz");
        CHECK(reply.status == 200);
        return reply.body;
    };
    const std::string begin = "deliveries are paused";
    const std::string end = "deliveries go on";
    pause(api, R"(, "until": "2027-03-10T10:00:00Z")");
    for (auto& service : services) {
        CHECK(eventually([&] { return metric(service, "deliveries_paused") == 1; }));
        CHECK(eventually(
            [&] { return ready(service).find("paused until 2027-03-10T10:00:00Z") != std::string::npos; }));
        CHECK_THAT(ready(service), !Contains("a wrong text"));
        CHECK(eventually([&] { return service.process().log().find(begin) != std::string::npos; }));
    }
    resume(api);
    for (auto& service : services) {
        CHECK(eventually([&] { return metric(service, "deliveries_paused") == 0; }));
        CHECK(eventually([&] { return ready(service).find("paused") == std::string::npos; }));
        CHECK(eventually([&] { return service.process().log().find(end) != std::string::npos; }));
        CHECK_THAT(service.process().log(), !Contains("a wrong text"));
    }
}

TEST_CASE("deliveries are paused and resumed from a shell while no service runs") {
    System system;
    const auto run = [&](std::vector<std::string> arguments) {
        return support::run("scheduler-svc", arguments, system.environment());
    };
    CHECK_THAT(run({"pause-status"}).output, Contains("not paused"));
    const auto paused = run({"pause", "--reason", "a wrong text", "--until", "2027-03-10T10:00:00+01:00"});
    CHECK(paused.exit_code == 0);
    const auto status = run({"pause-status"});
    CHECK(status.exit_code == 0);
    CHECK_THAT(status.output, Contains("by operator (command line), since 2027-03-10T08:00:00Z") &&
                                  Contains("2027-03-10T09:00:00Z") && Contains("a wrong text"));
    const auto in_the_past = run({"pause", "--reason", "x", "--until", "2027-03-10T08:00:00Z"});
    CHECK(in_the_past.exit_code == 2);
    CHECK_THAT(in_the_past.output, Contains("--until must lie in the future"));
    CHECK(run({"pause", "--reason", "x", "--until", "noon"}).exit_code == 2);
    CHECK(run({"pause"}).exit_code == 2);
    CHECK_THAT(run({"resume", "--reason", "mended"}).output, Contains("resumed"));
    CHECK_THAT(run({"resume"}).output, Contains("was not paused"));
}

TEST_CASE("opting out stops a message that waits and one whose hint is in the queue") {
    System system;
    system.add({.count = 2});
    const auto opt_out = [&](int person) {
        system.sql.execute("UPDATE users SET opted_out = true WHERE email = 'ada" + std::to_string(person) +
                           "@example.com'");
    };
    CHECK(system.count(Status::scheduled) == 2);
    opt_out(1);
    CHECK(system.count(Status::cancelled) == 1);
    const auto scheduler = system.start("scheduler-svc");
    system.set_clock(nine);
    REQUIRE(eventually([&] { return system.count(Status::queued) == 1; }));
    opt_out(2);
    const auto worker = system.start("worker-svc");
    CHECK(eventually([&] { return metric(worker, R"(hints_total{result="nothing_to_claim"})") == 1; }));
    CHECK(system.count(Status::cancelled) == 2);
    CHECK(system.requests().empty());
}
