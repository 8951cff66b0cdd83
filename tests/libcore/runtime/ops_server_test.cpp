#include "libcore/runtime/ops_server.hpp"

#include <atomic>
#include <catch2/catch.hpp>
#include <future>
#include <stdexcept>
#include <thread>
#include <vector>

#include "libcore/runtime/ops_client.hpp"
#include "tests/libcore/runtime/json_checker.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/http_client.hpp"

using namespace std::chrono_literals;
using Catch::Matchers::Contains;
using runtime::CheckResult;
using runtime::OpsServer;
using support::http_get;

TEST_CASE("a healthy service is alive and ready and shows its metrics") {
    runtime::Registry registry("worker-svc");
    registry.counter("sent_total", "Messages sent").Increment(7);
    OpsServer server({}, {.registry = registry, .checks = {{"database", [] { return CheckResult{}; }}}});
    server.started();
    CHECK(http_get(server.port(), "/livez").status == 200);
    const auto ready = http_get(server.port(), "/readyz");
    CHECK(ready.status == 200);
    CHECK(ready.body == R"({"status":"ready","checks":[{"name":"database","ok":true,"detail":""}]})");
    const auto metrics = http_get(server.port(), "/metrics");
    CHECK(metrics.header("content-type") == "text/plain; version=0.0.4; charset=utf-8");
    CHECK_THAT(metrics.body, Contains("\nsent_total 7\n"));
}

TEST_CASE("readiness names each dependency and why it failed") {
    runtime::Registry registry("test");
    OpsServer server(
        {}, {.registry = registry,
             .checks = {{"database", []() -> CheckResult { throw std::runtime_error("said \"no\""); }},
                        {"broker",
                         [] {
                             return CheckResult{false, "blocked"};
                         }},
                        {"loops", [] {
                             return CheckResult{true, "3 running"};
                         }}}});
    server.started();
    const auto reply = http_get(server.port(), "/readyz");
    CHECK(reply.status == 503);
    CHECK(reply.body == R"({"status":"not_ready","checks":[)"
                        R"({"name":"database","ok":false,"detail":"said \"no\""},)"
                        R"({"name":"broker","ok":false,"detail":"blocked"},)"
                        R"({"name":"loops","ok":true,"detail":"3 running"}]})");
    CHECK(test::is_strict_json(reply.body));
}

TEST_CASE("a service that has not started is alive, shows its metrics, and says what it waits for") {
    runtime::Registry registry("test");
    OpsServer server({}, {.registry = registry,
                          .checks = {{"database",
                                      [] {
                                          return CheckResult{false, "refused"};
                                      }},
                                     {"broker", [] { return CheckResult{}; }}}});
    CHECK(http_get(server.port(), "/livez").status == 200);
    CHECK(http_get(server.port(), "/metrics").status == 200);
    const auto reply = http_get(server.port(), "/readyz");
    CHECK(reply.status == 503);
    CHECK(reply.body == R"({"status":"starting","checks":[{"name":"database","ok":false,"detail":"refused"},)"
                        R"({"name":"broker","ok":true,"detail":""}]})");
}

TEST_CASE("a service is not ready before it has started, however well all is") {
    runtime::Registry registry("test");
    OpsServer server({}, {.registry = registry});
    CHECK(http_get(server.port(), "/readyz").status == 503);
    server.started();
    CHECK(http_get(server.port(), "/readyz").status == 200);
}

TEST_CASE("probes do not storm a dependency") {
    runtime::Registry registry("test");
    std::atomic<int> checks = 0;
    OpsServer server({.check_interval = 1h}, {.registry = registry, .checks = {{"database", [&] {
                                                                                    ++checks;
                                                                                    return CheckResult{};
                                                                                }}}});
    server.started();
    for (int i = 0; i < 50; ++i) CHECK(http_get(server.port(), "/readyz").status == 200);
    CHECK(checks == 1);
}

TEST_CASE("a check is asked again and again") {
    runtime::Registry registry("test");
    std::atomic<bool> up = false;
    OpsServer server({.check_interval = 5ms},
                     {.registry = registry, .checks = {{"database", [&] {
                                                            return CheckResult{up, ""};
                                                        }}}});
    server.started();
    CHECK(http_get(server.port(), "/readyz").status == 503);
    up = true;
    CHECK(support::eventually([&] { return http_get(server.port(), "/readyz").status == 200; }));
}

TEST_CASE("a check that hangs makes the service not ready and blocks neither probes nor metrics") {
    runtime::Registry registry("test");
    std::promise<void> answer;
    const auto answered = answer.get_future().share();
    OpsServer server({.check_timeout = 100ms}, {.registry = registry, .checks = {{"database", [&] {
                                                                                      answered.wait();
                                                                                      return CheckResult{};
                                                                                  }}}});
    server.started();
    const auto reply = http_get(server.port(), "/readyz");
    CHECK(reply.status == 503);
    CHECK_THAT(reply.body, Contains(R"("name":"database","ok":false,"detail":"no answer in time")"));
    CHECK(http_get(server.port(), "/livez").status == 200);
    CHECK(http_get(server.port(), "/metrics").status == 200);
    answer.set_value();
}

TEST_CASE("a check that begins to hang keeps nobody waiting who asks for anything") {
    runtime::Registry registry("test");
    std::atomic<bool> hangs = false;
    std::promise<void> answer;
    const auto answered = answer.get_future().share();
    OpsServer server({.check_timeout = 2s, .check_interval = 1ms},
                     {.registry = registry, .checks = {{"database", [&] {
                                                            if (hangs) answered.wait();
                                                            return CheckResult{};
                                                        }}}});
    server.started();
    REQUIRE(http_get(server.port(), "/readyz").status == 200);
    hangs = true;
    const auto began = std::chrono::steady_clock::now();
    // More connections than the server has threads.
    for (int i = 0; i < 4; ++i) {
        for (const auto* path : {"/readyz", "/livez", "/metrics"}) http_get(server.port(), path);
    }
    CHECK(std::chrono::steady_clock::now() - began < 1s);
    CHECK(support::eventually([&] { return http_get(server.port(), "/readyz").status == 503; }));
    answer.set_value();
}

TEST_CASE("a service that is stopping is not ready but alive") {
    runtime::Registry registry("test");
    std::stop_source stop;
    OpsServer server({}, {.registry = registry, .stopping = stop.get_token()});
    server.started();
    CHECK(http_get(server.port(), "/readyz").status == 200);
    stop.request_stop();
    CHECK(http_get(server.port(), "/readyz").status == 503);
    CHECK(http_get(server.port(), "/livez").status == 200);
}

TEST_CASE("a stuck service says so") {
    runtime::Registry registry("test");
    OpsServer server({}, {.registry = registry, .alive = [] {
                              return CheckResult{false, "the loop dispatch has not ended a round for 90 s"};
                          }});
    server.started();
    const auto reply = http_get(server.port(), "/livez");
    CHECK(reply.status == 503);
    CHECK_THAT(reply.body, Contains("dispatch has not ended"));
}

TEST_CASE("a service adds its own routes") {
    runtime::Registry registry("test");
    OpsServer server(
        {}, {.registry = registry, .routes = {{"/performance", [](const runtime::Request& request) {
                                                   return runtime::Reply{.body = std::string(request.query)};
                                               }}}});
    server.started();
    CHECK(http_get(server.port(), "/performance?top=5").body == "top=5");
}

TEST_CASE("other paths and methods are refused") {
    runtime::Registry registry("test");
    OpsServer server({}, {.registry = registry});
    server.started();
    CHECK(http_get(server.port(), "/").status == 404);
    CHECK(http_get(server.port(), "/livez/").status == 404);
    support::HttpClient client(server.port());
    const auto reply = client.request("POST", "/metrics");
    CHECK(reply.status == 405);
    CHECK(reply.header("allow") == "GET, HEAD");
    CHECK(client.request("HEAD", "/metrics").status == 200);
}

namespace {

const support::HttpHeaders json{{"Content-Type", "application/json"}};

struct Switch {
    explicit Switch(const std::string& admin_token = {}) : server(settings(admin_token), parts()) {
        server.started();
    }

    static OpsServer::Settings settings(const std::string& admin_token) {
        OpsServer::Settings settings;
        settings.admin_token = admin_token;
        return settings;
    }
    OpsServer::Parts parts() {
        const auto post = [this](const runtime::Request& request) {
            body = request.body;
            return runtime::Reply{.status = body == "wrong" ? 400 : 200};
        };
        const auto get = [](const runtime::Request&) { return runtime::Reply{.body = "off"}; };
        return {.registry = registry, .routes = {{"/switch", get, post}}};
    }
    support::HttpReply post(support::HttpHeaders headers, const std::string& text = "on") {
        return support::HttpClient(server.port()).request("POST", "/switch", text, headers);
    }

    runtime::Registry registry{"test"};
    std::string body;
    OpsServer server;
};

}  // namespace

TEST_CASE("without an admin token only programs of this machine change something, and no browser") {
    Switch ops;
    CHECK(ops.post(json).status == 200);
    CHECK(ops.body == "on");
    ops.body.clear();
    for (const auto* name : {"Origin", "Forwarded", "X-Forwarded-For", "via", "X-Real-IP"}) {
        CAPTURE(name);
        auto headers = json;
        headers.emplace_back(name, "http://localhost:9102");
        CHECK(ops.post(headers).status == 403);
        headers.back().second.clear();
        CHECK(ops.post(headers).status == 403);
    }
    CHECK(ops.post({}).status == 415);
    CHECK(ops.post({{"Content-Type", "text/plain"}}).status == 415);
    CHECK(ops.body.empty());
    CHECK(http_get(ops.server.port(), "/switch").body == "off");
    CHECK_THAT(ops.registry.text(), Contains(R"(ops_changes_total{result="made"} 1)") &&
                                        Contains(R"(ops_changes_total{result="refused"} 12)"));
}

TEST_CASE("without an admin token only who asks for this machine by its own name changes something") {
    Switch ops;
    const auto status = [&](const std::string& host) {
        support::HttpClient client(ops.server.port());
        client.send("POST /switch HTTP/1.1\r\nHost: " + host +
                    "\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\non");
        return client.receive("POST").status;
    };
    for (const auto* host :
         {"localhost", "localhost:9102", "127.0.0.1", "127.0.0.1:9102", "[::1]", "[::1]:1"}) {
        CAPTURE(host);
        CHECK(status(host) == 200);
    }
    for (const auto* host : {"attacker.example", "attacker.example:9102", "localhost.attacker.example",
                             "127.0.0.1.attacker.example", "10.0.0.1", "[::1", "[::2]", "", ":80", "[]"}) {
        CAPTURE(host);
        CHECK(status(host) == 403);
    }
}

TEST_CASE("without an admin token nobody changes anything from another address of this machine") {
    Switch ops;
    support::HttpClient other(ops.server.port(), 10s, "127.0.0.2");
    CHECK(other.request("POST", "/switch", "on", json).status == 403);
    CHECK(ops.body.empty());
    CHECK(other.request("GET", "/switch").status == 200);
}

TEST_CASE("with an admin token whoever shows it changes something") {
    Switch ops("a-token-of-enough-length");
    const auto with = [](const std::string& authorization) {
        auto headers = json;
        headers.emplace_back("Authorization", authorization);
        return headers;
    };
    CHECK(ops.post(with("Bearer a-token-of-enough-length")).status == 200);
    const auto refused = ops.post(json);
    CHECK(refused.status == 401);
    CHECK(refused.header("www-authenticate") == "Bearer");
    for (const auto* wrong : {"Bearer a-token-of-enough-lengtH", "Bearer a-token-of-enough-length1",
                              "Bearer ", "a-token-of-enough-length", "Basic a-token-of-enough-length"})
        CHECK(ops.post(with(wrong)).status == 401);
    CHECK(http_get(ops.server.port(), "/switch").status == 200);
}

TEST_CASE("a change that its route refuses is counted as refused, and other methods are named") {
    Switch ops;
    CHECK(ops.post(json, "wrong").status == 400);
    CHECK_THAT(ops.registry.text(), Contains(R"(ops_changes_total{result="refused"} 1)"));
    support::HttpClient client(ops.server.port());
    const auto reply = client.request("DELETE", "/switch");
    CHECK(reply.status == 405);
    CHECK(reply.header("allow") == "GET, HEAD, POST");
}

TEST_CASE("a command asks the operations port of its machine and shows the token") {
    Switch ops("a-token-of-enough-length");
    OpsServer::Settings settings = Switch::settings("a-token-of-enough-length");
    settings.port = ops.server.port();
    const auto made = runtime::ask_ops(settings, "/switch", "on", 5s);
    REQUIRE(made);
    CHECK(made->status == 200);
    CHECK(ops.body == "on");
    const auto shown = runtime::ask_ops(settings, "/switch", {}, 5s);
    REQUIRE(shown);
    CHECK(shown->body == "off");
    settings.admin_token.clear();
    CHECK(runtime::ask_ops(settings, "/switch", "on", 5s)->status == 401);
    ops.server.stop();
    CHECK_FALSE(runtime::ask_ops(settings, "/switch", {}, 1s));
}

TEST_CASE("a command that gets no answer knows whether it was heard") {
    std::promise<void> answered;
    runtime::Registry registry("test");
    const auto slow = [&](const runtime::Request&) {
        answered.get_future().wait();
        return runtime::Reply{};
    };
    OpsServer server({}, {.registry = registry, .routes = {{"/switch", slow, slow}}});
    OpsServer::Settings settings;
    settings.port = server.port();
    const auto heard = runtime::ask_ops(settings, "/switch", "on", 200ms);
    answered.set_value();
    REQUIRE(heard);
    CHECK(heard->status == 0);
    server.stop();
    CHECK_FALSE(runtime::ask_ops(settings, "/switch", "on", 200ms));
}

TEST_CASE("it stops twice and in the middle of probes") {
    runtime::Registry registry("test");
    OpsServer server({}, {.registry = registry});
    server.started();
    std::vector<std::jthread> probes;
    for (int i = 0; i < 4; ++i)
        probes.emplace_back([port = server.port()] {
            try {
                for (;;) support::HttpClient(port, 500ms).request("GET", "/metrics");
            } catch (const std::runtime_error&) {
                // The server is gone.
            }
        });
    server.stop();
    server.stop();
}
