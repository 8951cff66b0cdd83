// Test messages from the request to the provider, on real services.

#include <catch2/catch.hpp>
#include <map>

#include "libcore/json/parser.hpp"
#include "tests/support/http_client.hpp"
#include "tests/support/system/system.hpp"
#include "tests/support/tcp_gate.hpp"

namespace {

using namespace std::chrono_literals;
using Catch::Matchers::Contains;
using support::eventually;
using support::HttpReply;
using support::Service;
using support::System;

const std::string ada = R"({"email": "ada@example.org", "firstName": "Ada", "lastName": "Byron"})";
const std::string birthday = "/api/v1/message-types/BIRTHDAY/test-send";

HttpReply post(const Service& api, const std::string& target, const std::string& body) {
    return support::HttpClient(api.port())
        .request("POST", target, body, {{"Content-Type", "application/json"}});
}

std::string text_at(const HttpReply& reply, const char* name) {
    CAPTURE(reply.body);
    const auto body = json::parse(reply.body).value();
    const auto* value = body.find(name);
    REQUIRE(value != nullptr);
    return value->is_null() ? "" : *value->string();
}

/// Asks for a test message; its address.
std::string test_send(const Service& api, const std::string& body = ada) {
    const auto reply = post(api, birthday, body);
    CAPTURE(reply.body);
    REQUIRE(reply.status == 202);
    CHECK(text_at(reply, "status") == "PENDING");
    CHECK(reply.header("location") == "/api/v1/test-sends/" + text_at(reply, "id"));
    return reply.header("location");
}

HttpReply get(const Service& api, const std::string& location) {
    return support::http_get(api.port(), location);
}

bool becomes(const Service& api, const std::string& location, const std::string& status) {
    return eventually([&] { return text_at(get(api, location), "status") == status; });
}

/// Code by field.
std::map<std::string, std::string> errors_of(const HttpReply& reply) {
    std::map<std::string, std::string> codes;
    const auto body = json::parse(reply.body).value();
    for (const auto& error : *body.find("errors")->array()) {
        codes.emplace(*error.find("field")->string(), *error.find("code")->string());
    }
    return codes;
}

}  // namespace

TEST_CASE("a test message reaches the provider once under a key of its own and leaves the ledger alone") {
    System system(System::Provider::naive);
    const auto api = system.start("api-svc");
    auto worker = system.start("worker-svc");
    const auto location = test_send(api);
    REQUIRE(becomes(api, location, "SENT"));
    const auto sent = get(api, location);
    CHECK(text_at(sent, "messageType") == "BIRTHDAY");
    CHECK(text_at(sent, "messageContent") == "Hey, Ada Byron it's your birthday");
    CHECK(*json::parse(sent.body)->find("apiResponseCode")->integer() == 200);
    const auto requests = system.requests();
    REQUIRE(requests.size() == 1);
    CHECK(requests[0].email == "ada@example.org");
    CHECK(requests[0].message == "Hey, Ada Byron it's your birthday");
    CHECK(requests[0].key == "test-send:" + text_at(sent, "id"));
    CHECK(system.ledger().empty());
    CHECK(support::metric(worker, R"(test_sends_total{outcome="SENT"})") == 1);
    CHECK_THAT(worker.process().log(), !Contains("ada@"));
    CHECK(worker.stop() == 0);
}

TEST_CASE("a refused test message is not tried again and says why") {
    System system;
    system.provider.play(R"({"rules": [{"status": 500, "body": "broken"}]})");
    const auto api = system.start("api-svc");
    const auto worker = system.start("worker-svc");
    const auto location = test_send(api);
    REQUIRE(becomes(api, location, "FAILED"));
    CHECK(text_at(get(api, location), "errorMessage") == "the provider answered 500");
    const auto next = test_send(api);
    REQUIRE(becomes(api, next, "FAILED"));
    CHECK(system.requests().size() == 2);
}

TEST_CASE("a test message that the provider does not answer is unknown") {
    System system;
    support::TcpGate gate("127.0.0.1", system.provider.port());
    gate.stall();
    const auto api = system.start("api-svc");
    const auto worker = system.start(
        "worker-svc",
        {{"PROVIDER_URL", "http://127.0.0.1:" + std::to_string(gate.port())}, {"PROVIDER_TIMEOUT", "200ms"}});
    CHECK(becomes(api, test_send(api), "UNKNOWN"));
}

TEST_CASE("a worker killed with a test message in hand leaves it unknown") {
    System system;
    system.provider.play(R"({"rules": [{"delay_ms": 5000}]})");
    const auto api = system.start("api-svc");
    auto worker = system.start("worker-svc", {{"PROVIDER_TIMEOUT", "1s"}, {"DELIVERY_LEASE", "2s"}});
    const auto location = test_send(api);
    REQUIRE(becomes(api, location, "SENDING"));
    worker.kill();
    CHECK(becomes(api, location, "UNKNOWN"));
    CHECK(text_at(get(api, location), "finishedAt").empty());
}

TEST_CASE("test messages wait for the end of a pause and respect the allow-list") {
    System system;
    const auto api = system.start("api-svc");
    const auto worker = system.start("worker-svc", {{"RECIPIENT_ALLOWLIST", "*@example.org"}});
    REQUIRE(post(api, "/api/v1/pause", R"({"reason": "why"})").status == 200);
    const auto allowed = test_send(api);
    const auto other =
        test_send(api, R"({"email": "eve@example.com", "firstName": "Eve", "lastName": "Byron"})");
    const std::string rounds = R"(loop_rounds_total{loop="test_sender",result="ok"})";
    const auto before = support::metric(worker, rounds);
    REQUIRE(eventually([&] { return support::metric(worker, rounds) >= before + 2; }));
    CHECK(text_at(get(api, allowed), "status") == "PENDING");
    REQUIRE(post(api, "/api/v1/resume", "{}").status == 200);
    CHECK(becomes(api, allowed, "SENT"));
    CHECK(becomes(api, other, "FAILED"));
    CHECK_THAT(text_at(get(api, other), "errorMessage"), Contains("RECIPIENT_ALLOWLIST"));
    CHECK(system.requests().size() == 1);
}

TEST_CASE("a wrong test message names every wrong field and an unknown type or address is not found") {
    System system;
    const auto api = system.start("api-svc");
    CHECK(errors_of(post(api, birthday, "{}")) ==
          std::map<std::string, std::string>{
              {"email", "required"}, {"firstName", "required"}, {"lastName", "required"}});
    const auto wrong = post(api, birthday,
                            R"({"email": "ada", "firstName": "A\nda", "lastName": "Byron", "timezone": "UTC",
                                "date": "2999-01-01", "years": 3, "late": 1})");
    CHECK(wrong.status == 400);
    CHECK(errors_of(wrong) == std::map<std::string, std::string>{{"email", "invalid_email"},
                                                                 {"firstName", "invalid_characters"},
                                                                 {"timezone", "unknown_field"},
                                                                 {"date", "in_the_future"},
                                                                 {"years", "conflict"},
                                                                 {"late", "wrong_type"}});
    CHECK(post(api, "/api/v1/message-types/NAME_DAY/test-send", ada).status == 404);
    for (const char* name : {"birthday", "_A", "9A", "", "A%20B", "A%2FB"}) {
        CHECK(post(api, std::string("/api/v1/message-types/") + name + "/test-send", ada).status == 404);
    }
    CHECK(get(api, "/api/v1/test-sends/0190a0b0-c0d0-7e00-8f00-000000000001").status == 404);
    CHECK(support::http_get(api.port(), birthday).status == 405);
}

TEST_CASE("no more than a hundred test messages wait") {
    System system;
    const auto api = system.start("api-svc");
    for (int i = 0; i < 100; ++i) test_send(api);
    const auto refused = post(api, birthday, ada);
    CHECK(refused.status == 409);
    CHECK(text_at(refused, "code") == "too_many_pending");
}
