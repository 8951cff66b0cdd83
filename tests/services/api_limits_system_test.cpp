// How often clients may ask, as they and the operator meet it.

#include <catch2/catch.hpp>

#include "tests/services/api_under_test.hpp"
#include "tests/support/eventually.hpp"

using namespace tests;
using Settings = support::Environment;

namespace {

/// An api-svc with two keys, the second under the default limits, and clients that come through a proxy or
/// not.
struct Limited {
    explicit Limited(Settings environment = {}, std::vector<std::string> key_options = {})
        : key(make_key(database.url(), "users:read,users:write", std::move(key_options))),
          other(make_key(database.url(), "users:read,admin", {})),
          service("api-svc", with_url(std::move(environment))) {}

    HttpReply call(std::string_view method, const std::string& target, const std::string& forwarded_for = "",
                   const std::string& bearer = "") {
        support::HttpHeaders headers{{"Authorization", "Bearer " + (bearer.empty() ? key : bearer)}};
        if (!forwarded_for.empty()) headers.emplace_back("X-Forwarded-For", forwarded_for);
        return client.request(method, target, {}, headers);
    }

    /// How many of so many requests were not answered 429.
    int admitted(int requests, std::string_view method, const std::string& forwarded_for = "",
                 const std::string& bearer = "") {
        int count = 0;
        for (int i = 0; i < requests; ++i)
            count +=
                call(method, method == "POST" ? users : nobody, forwarded_for, bearer).status != 429 ? 1 : 0;
        return count;
    }

    Settings with_url(Settings environment) const {
        environment.insert({{"DATABASE_URL", database.url()}, {"BIND", "127.0.0.1"}});
        // So long that nothing flows in while a test runs.
        environment.emplace("RATE_LIMIT_WINDOW_MS", "3600000");
        return environment;
    }

    TestDatabase database;
    std::string key;
    std::string other;
    support::Service service;
    support::HttpClient client{service.port()};
};

}  // namespace

TEST_CASE("over the limit of a class the answer is 429 and says when to go on (M09, H10)") {
    Limited api(Settings{{"RATE_LIMIT_WINDOW_MS", "60000"}, {"RATE_LIMIT_DELETE", "3"}});
    const auto first = api.call("DELETE", nobody);
    CHECK(first.status == 404);
    CHECK(first.header("ratelimit-limit") == "3");
    CHECK(first.header("ratelimit-remaining") == "2");
    CHECK(first.header("ratelimit-reset") == "20");
    CHECK(api.admitted(2, "DELETE") == 2);

    const auto refused = api.call("DELETE", nobody);
    CHECK(refused.status == 429);
    CHECK(refused.header("content-type") == "application/problem+json");
    CHECK(text_at(refused, "code") == "rate_limited");
    CHECK(text_at(refused, "requestId") == refused.header("x-request-id"));
    CHECK(refused.header("ratelimit-remaining") == "0");
    const auto wait = std::stoi(refused.header("retry-after"));
    CHECK(wait >= 10);
    CHECK(wait <= 20);
    CHECK(api.call("GET", nobody).status == 404);
    const auto metrics = support::http_get(api.service.ops_port(), "/metrics").body;
    CHECK(metrics.find("http_requests_limited_total{class=\"delete\"} 1") != std::string::npos);
    CHECK(metrics.find("http_requests_limited_total{class=\"read\"} 0") != std::string::npos);
}

TEST_CASE("a client that waits as long as it is told is admitted again") {
    Limited api(Settings{{"RATE_LIMIT_WINDOW_MS", "2000"}, {"RATE_LIMIT_CREATE", "2"}});
    CHECK(api.admitted(20, "POST") < 20);
    const auto refused = [&] {
        const auto reply = api.call("POST", users);
        return reply.status == 429 && reply.header("retry-after") == "1";
    };
    REQUIRE(support::eventually(refused));
    CHECK(
        support::eventually([&] { return api.call("POST", users).status != 429; }, std::chrono::seconds(3)));
}

TEST_CASE("each class is limited by its default of a minute for a key and for an address (M09)") {
    Limited api;
    CHECK(api.admitted(30, "PUT") == 20);
    CHECK(api.admitted(30, "DELETE") == 10);
    CHECK(api.admitted(120, "GET") == 100);
    CHECK(api.admitted(30, "POST") == 10);
    // Another key from the same address finds it used up.
    CHECK(api.call("GET", nobody, "", api.other).status == 429);
}

TEST_CASE("whoever stops all deliveries is not refused because others have used up the address") {
    Limited api;
    CHECK(api.admitted(30, "POST") == 10);
    const support::HttpHeaders headers{{"Authorization", "Bearer " + api.other},
                                       {"Content-Type", "application/json"}};
    for (int i = 0; i < 20; ++i) {
        REQUIRE(api.client.request("POST", "/api/v1/pause", R"({"reason": "drill"})", headers).status == 200);
        REQUIRE(api.client.request("GET", "/api/v1/pause", {}, headers).status == 200);
        REQUIRE(api.client.request("POST", "/api/v1/resume", {}, headers).status == 200);
    }
}

TEST_CASE("a key's own limits replace those of the address as well") {
    Limited api(Settings(), {"--limits", "read=150"});
    CHECK(api.admitted(200, "GET") == 150);
    CHECK(api.admitted(30, "DELETE") == 10);
    const auto free = make_key(api.database.url(), "users:read,users:write");
    REQUIRE(support::eventually([&] { return api.call("GET", nobody, "", free).status == 404; }));
    CHECK(api.admitted(300, "GET", "", free) == 300);
    CHECK(api.admitted(30, "DELETE", "", free) == 30);
}

TEST_CASE("who guesses keys is limited by address and does not use up what valid keys have") {
    Limited api;
    const std::string guess = "tdg_000000000000_" + std::string(64, '0');
    CHECK(api.admitted(120, "GET", "", guess) == 100);
    CHECK(api.call("GET", "/nowhere", "", guess).status == 429);
    CHECK(api.call("GET", nobody).status == 404);
    const auto metrics = support::http_get(api.service.ops_port(), "/metrics").body;
    CHECK(metrics.find("http_requests_limited_total{class=\"none\"} 21") != std::string::npos);
}

TEST_CASE("probes and metrics are never limited (H10)") {
    Limited api(Settings{{"RATE_LIMIT_MAX_REQUESTS", "1"}});
    support::HttpClient operations(api.service.ops_port());
    for (int i = 0; i < 100; ++i) {
        for (const auto* target : {"/livez", "/readyz", "/metrics"})
            REQUIRE(operations.request("GET", target).status == 200);
    }
}

TEST_CASE("a client that is no trusted proxy cannot say it is somebody else (H10)") {
    Limited api(Settings{{"RATE_LIMIT_MAX_REQUESTS", "5"}, {"TRUSTED_PROXIES", "10.0.0.0/8"}});
    CHECK(api.admitted(5, "GET", "203.0.113.1") == 5);
    CHECK(api.call("GET", nobody, "203.0.113.2", api.other).status == 429);
}

TEST_CASE("behind a trusted proxy each client has limits of its own (H10)") {
    Limited api(Settings{{"RATE_LIMIT_MAX_REQUESTS", "5"}, {"TRUSTED_PROXIES", "127.0.0.0/8,::1"}});
    const std::string guess = "garbage";
    CHECK(api.admitted(10, "GET", "203.0.113.1", guess) == 5);
    CHECK(api.admitted(10, "GET", "203.0.113.2", guess) == 5);
    CHECK(api.admitted(10, "GET", "198.51.100.1, 203.0.113.2", guess) == 0);
    CHECK(api.admitted(10, "GET", "203.0.113.3, 127.0.0.9", guess) == 5);
    CHECK(api.admitted(10, "GET", "2001:db8::1", guess) == 5);
    CHECK(api.admitted(10, "GET", "2001:db8::2", guess) == 0);
}

TEST_CASE("wrong limits and proxies are named at the start") {
    TestDatabase database;
    const auto ended = support::run("api-svc", {"--check-config"},
                                    {{"DATABASE_URL", database.url()},
                                     {"RATE_LIMIT_MAX_REQUESTS", "50"},
                                     {"RATE_LIMIT_CREATE", "51"},
                                     {"RATE_LIMIT_WINDOW_MS", "0"},
                                     {"TRUSTED_PROXIES", "10.0.0.0/8,nginx"}});
    CAPTURE(ended.output);
    CHECK(ended.exit_code == 2);
    CHECK(ended.output.find("RATE_LIMIT_CREATE must be a whole number from 1 to 50") != std::string::npos);
    CHECK(ended.output.find("RATE_LIMIT_WINDOW_MS") != std::string::npos);
    CHECK(ended.output.find("TRUSTED_PROXIES must be") != std::string::npos);
    const auto shown = support::run("api-svc", {"--print-config"}, {{"DATABASE_URL", database.url()}}).output;
    for (const auto* name : {"RATE_LIMIT_WINDOW_MS", "RATE_LIMIT_MAX_REQUESTS", "RATE_LIMIT_CREATE",
                             "RATE_LIMIT_UPDATE", "RATE_LIMIT_DELETE", "TRUSTED_PROXIES"})
        CHECK(shown.find(name) != std::string::npos);
}
