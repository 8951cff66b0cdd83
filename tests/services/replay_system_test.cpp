// What was given up and is wanted after all: replayed by a person, on the whole system.

#include <catch2/catch.hpp>

#include "tests/services/api_under_test.hpp"
#include "tests/services/drill.hpp"

using namespace drill;

namespace {

support::HttpReply ask(const support::Service& api, const std::string& key, const std::string& body) {
    support::HttpClient client(api.port());
    return client.request("POST", "/api/v1/messages/replay", body,
                          {{"Authorization", "Bearer " + key}, {"Content-Type", "application/json"}});
}

std::int64_t number_at(const support::HttpReply& reply, std::string_view name) {
    CAPTURE(reply.body);
    REQUIRE(reply.status == 200);
    return *json::parse(reply.body)->find(name)->integer();
}

std::string attempts_of_one(System& system) {
    static constexpr postgres::Statement statement{"attempts_of_one",
                                                   "SELECT string_agg(concat_ws(' ', outcome, http_status, "
                                                   "error), ', ' ORDER BY attempt) FROM delivery_attempts"};
    return system.sql.run(statement).front().get<std::string>(0);
}

}  // namespace

TEST_CASE(
    "after an outage longer than the messages' deadline they are replayed late and each goes out once") {
    System system(System::Provider::naive);
    system.add({.count = 300});
    system.sql.execute(
        "UPDATE message_types SET late_template = 'Belated, {first_name}' WHERE name = 'BIRTHDAY'");
    system.set_clock("2027-03-13T09:00:00Z");
    const auto scheduler = system.start("scheduler-svc");
    REQUIRE(eventually([&] { return system.count(Status::missed) == 300; }));

    const auto key = tests::make_key(system.database.url(), "messages:write");
    const auto api = system.start("api-svc");
    const auto without = ask(api, key, R"({"reason": "outage", "status": "MISSED"})");
    CHECK(number_at(without, "count") == 0);
    CHECK(number_at(without, "pastDeadline") == 300);
    const auto shown =
        ask(api, key, R"({"reason": "outage", "status": "MISSED", "late": true, "perMinute": 60000})");
    REQUIRE(number_at(shown, "count") == 300);
    const auto done =
        ask(api, key, R"({"count": 300, "token": ")" + tests::text_at(shown, "token") + R"("})");
    CHECK(number_at(done, "done") == 300);

    const auto worker = system.start("worker-svc");
    REQUIRE(system.sent(300));
    CHECK(system.requests().size() == 300);
    for (const auto& row : system.ledger()) CHECK(row.status == Status::sent);
    for (const auto& request : system.requests()) CHECK(request.message.starts_with("Belated, "));
}

TEST_CASE("a provider that refuses who asks fails no message, and the worker says so") {
    System system(System::Provider::naive);
    system.provider.play(R"({"rules": [{"status": 401, "body": "no such token"}]})");
    system.add({.count = 50});
    const auto scheduler = system.start("scheduler-svc");
    auto worker = system.start("worker-svc", {{"PROVIDER_TOKEN", "expired"}});
    system.set_clock(nine, 20);
    REQUIRE(eventually([&] { return metric(worker, "delivery_circuit_state") == 2; }, 30s));
    CHECK(metric(worker, "provider_credentials_refused_total") >= 5);
    CHECK(worker.process().log().find("the provider refuses this worker's credentials") != std::string::npos);
    CHECK(worker.stop() == 0);
    for (const auto& row : system.ledger()) {
        CHECK((row.status == Status::retrying || row.status == Status::queued));
        CHECK(row.failures == 0);
    }

    // The token is renewed: a worker reads it when it starts.
    system.provider.play(R"({"rules": []})");
    const auto renewed = system.start("worker-svc", {{"PROVIDER_TOKEN", "new"}});
    REQUIRE(system.sent(50));
    CHECK(system.compare() == Comparison{.delivered = 50});
}

TEST_CASE("a success that says it was none is retried, and its attempt says why") {
    System system;
    system.provider.play(R"({"rules": [{"times": 1, "success_false": true}]})");
    system.add({});
    const auto scheduler = system.start("scheduler-svc");
    const auto worker = system.start("worker-svc");
    system.set_clock(nine, 10);
    REQUIRE(system.sent(1));
    CHECK(attempts_of_one(system) ==
          R"(RETRYING 200 the provider answered 200 with "success": false, SENT 200)");
}

TEST_CASE("a worker does not send again under a key that the provider has forgotten") {
    System system(System::Provider::naive);
    system.provider.play(R"({"rules": [{"times": 1, "status": 504}]})");
    system.add({});
    const auto scheduler = system.start("scheduler-svc");
    const auto worker = system.start("worker-svc", {{"PROVIDER_KEY_LIFE", "1s"}});
    system.set_clock(nine, 1);
    REQUIRE(eventually([&] { return system.count(Status::unknown) == 1; }, 30s));
    CHECK(metric(worker, R"(hints_total{result="key_expired"})") == 1);
    CHECK(system.requests().size() == 1);
    CHECK(attempts_of_one(system).starts_with("RETRYING 504"));
}
