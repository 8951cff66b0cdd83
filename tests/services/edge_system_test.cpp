// The edge as clients and attackers meet it: real nginx with the shipped configuration, in front of the real
// api-svc, or of a server that writes down what reached it.

#include <catch2/catch.hpp>
#include <mutex>

#include "tests/libcore/http/raw_server.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/http_client.hpp"
#include "tests/support/postgres_fixture.hpp"
#include "tests/support/system/edge.hpp"

namespace {

using Catch::Matchers::Contains;
using support::Edge;
using support::HttpClient;
using support::HttpReply;

const std::string users = "/api/v1/users";
const std::string ada =
    R"({"firstName":"Ada","lastName":"Byron","email":"ada@example.org","timezone":"UTC"})";
const support::HttpHeaders json{{"Content-Type", "application/json"}};

/// On loopback in development, where a key is optional.
support::Environment environment(const support::TestDatabase& database) {
    return {{"APP_ENV", "development"}, {"DATABASE_URL", database.url()}, {"BIND", "127.0.0.1"}};
}

struct Api {
    explicit Api(const support::Environment& more = {})
        : service("api-svc", [&] {
              auto all = environment(database);
              all.insert(more.begin(), more.end());
              return all;
          }()) {}

    support::TestDatabase database;
    support::Service service;
    Edge edge{service.port()};
    HttpClient client{edge.port()};
};

/// Answers every request with 200 and keeps its bytes. It reads as RFC 9112 says: by Content-Length.
class Recorder {
public:
    std::vector<std::string> requests() const {
        const std::lock_guard lock(mutex_);
        return requests_;
    }
    int port() const { return server_.port(); }
    int connections() const { return server_.connections(); }

private:
    void serve(tcp::socket& socket) {
        std::string bytes;
        while (true) {
            const auto head = boost::asio::read_until(socket, boost::asio::dynamic_buffer(bytes), "\r\n\r\n");
            constexpr std::string_view field = "\r\nContent-Length: ";
            const auto at = bytes.find(field);
            const auto size = head + (at < head ? std::stoul(bytes.substr(at + field.size())) : 0);
            while (bytes.size() < size)
                boost::asio::read(socket, boost::asio::dynamic_buffer(bytes),
                                  boost::asio::transfer_at_least(1));
            {
                const std::lock_guard lock(mutex_);
                requests_.push_back(bytes.substr(0, size));
            }
            bytes.erase(0, size);
            write_bytes(socket, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        }
    }

    mutable std::mutex mutex_;
    std::vector<std::string> requests_;
    RawServer server_{[this](tcp::socket& socket) { serve(socket); }};
};

void check_problem(const HttpReply& reply, int status, const std::string& code) {
    CHECK(reply.status == status);
    CHECK(reply.header("content-type") == "application/problem+json");
    CHECK_THAT(reply.body, Contains("\"status\":" + std::to_string(status)));
    CHECK_THAT(reply.body, Contains("\"code\":\"" + code + "\""));
}

}  // namespace

TEST_CASE("what the API answers passes the edge unchanged") {
    Api api;
    const auto added = api.client.request("POST", users, ada, json);
    CAPTURE(added.body);
    REQUIRE(added.status == 201);
    CHECK(api.client.request("GET", added.header("location")).body == added.body);
    CHECK(api.client.request("DELETE", added.header("location")).status == 204);
    const auto wrong = api.client.request("POST", users, "{}", json);
    CHECK(wrong.status == 400);
    CHECK_THAT(wrong.body, Contains("\"field\":\"firstName\""));
    CHECK(!wrong.header("x-request-id").empty());
}

TEST_CASE("a body that is too large ends at the edge, and one that is not is judged by the API") {
    Api api;
    const auto body = [](std::size_t size) { return "{\"firstName\":\"" + std::string(size, 'x') + "\"}"; };
    const auto allowed = api.client.request("POST", users, body(60 * 1024 - 20), json);
    CHECK(allowed.status == 400);
    CHECK_THAT(allowed.body, Contains("\"field\":\"firstName\""));
    check_problem(HttpClient(api.edge.port()).request("POST", users, body(61 * 1024), json), 413,
                  "request_too_large");
}

TEST_CASE("operations are not reachable through the edge") {
    Api api;
    for (const std::string path : {"/metrics", "/readyz", "/livez", "//metrics", "/api/../metrics",
                                   "/api/%2e%2e/metrics", "/api//../../metrics", "/health/database", "/"}) {
        CAPTURE(path);
        const auto reply = api.client.request("GET", path);
        CHECK((reply.status == 404 || reply.status == 400));  // 400: above the root
        CHECK_THAT(reply.body, !Contains("process_"));
    }
    REQUIRE(support::http_get(api.service.ops_port(), "/metrics").status == 200);
}

TEST_CASE("while the API is away the edge says so, and serves again when it is back") {
    Api api;
    REQUIRE(api.client.request("GET", users).status == 405);
    auto restarted = environment(api.database);
    restarted["PORT"] = std::to_string(api.service.port());
    CHECK(api.service.stop() == 0);
    const auto away = api.client.request("POST", users, ada, json);
    check_problem(away, 502, "unavailable");
    CHECK(away.header("retry-after") == "1");
    const support::Service again("api-svc", restarted);
    CHECK(api.client.request("POST", users, ada, json).status == 201);
}

TEST_CASE("the API learns the client's address from the edge, whatever the client claims") {
    Recorder recorder;
    Edge edge(recorder.port());
    HttpClient client(edge.port());
    const support::HttpHeaders claims{{"X-Forwarded-For", "203.0.113.9"}, {"X-Real-IP", "203.0.113.9"},
                                      {"Forwarded", "for=203.0.113.9"},   {"X-Forwarded-Host", "203.0.113.9"},
                                      {"X_Forwarded_For", "203.0.113.9"}, {"X-Forwarded-For", "203.0.113.8"}};
    CHECK(client.request("GET", "/api/v1/users?a=b", {}, claims).status == 200);
    REQUIRE(recorder.requests().size() == 1);
    const auto request = recorder.requests().front();
    CHECK_THAT(request, Contains("GET /api/v1/users?a=b HTTP/1.1\r\n"));
    CHECK_THAT(request, Contains("\r\nX-Forwarded-For: 127.0.0.1\r\n"));
    CHECK_THAT(request, !Contains("203.0.113."));
    // The line is written after the answer.
    const std::string line = "\"path\":\"/api/v1/users\",\"status\":200";
    CHECK(support::eventually([&] { return edge.log().find(line) != std::string::npos; }));
    client.request("GET", "/api/v1/users/ada@example.org");
    CHECK(support::eventually([&] { return edge.log().find("\"path\":\"other\"") != std::string::npos; }));
    CHECK_THAT(edge.log(), !Contains("a=b") && !Contains("127.0.0.1") && !Contains("ada@"));
}

TEST_CASE("nobody escapes his limit behind the edge by claiming other addresses") {
    Api api({{"TRUSTED_PROXIES", "127.0.0.1"},
             {"RATE_LIMIT_MAX_REQUESTS", "5"},
             {"RATE_LIMIT_WINDOW_MS", "3600000"}});
    const auto served = [](HttpClient& client) {
        int count = 0;
        for (int i = 0; i < 20; ++i) {
            const support::HttpHeaders claim{{"X-Forwarded-For", "203.0.113." + std::to_string(i)}};
            count += client.request("GET", "/api/v1/nothing", {}, claim).status == 404 ? 1 : 0;
        }
        return count;
    };
    CHECK(served(api.client) == 5);
    // A proxy before the edge is believed once it is named.
    Edge behind(api.service.port(), "set_real_ip_from 127.0.0.1;");
    HttpClient through_both(behind.port());
    CHECK(served(through_both) == 20);
    // Whom the API trusts, as it does the edge, is believed.
    HttpClient beside(api.service.port());
    CHECK(served(beside) == 20);
}

TEST_CASE("the API hears of a slow client's request when it is whole") {
    Recorder recorder;
    Edge edge(recorder.port());
    HttpClient slow(edge.port());
    HttpClient quick(edge.port());
    slow.send("POST /api/v1/users HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n");
    for (const char* byte : {"s", "l", "o", "w"}) {
        slow.send(byte);
        CHECK(quick.request("GET", "/metrics").status == 404);  // the edge has read on meanwhile
        CHECK(recorder.connections() == 0);
    }
    slow.send("!");
    CHECK(slow.receive().status == 200);
    REQUIRE(recorder.requests().size() == 1);
    CHECK_THAT(recorder.requests().front(), Catch::Matchers::EndsWith("\r\n\r\nslow!"));
}

TEST_CASE("a chunked body, which the API refuses, reaches it with its length") {
    Api api;
    const std::string chunked = "POST " + users +
                                " HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n" +
                                "Transfer-Encoding: chunked\r\n\r\n";
    std::string body;
    for (const char byte : ada) body += std::string("1\r\n") + byte + "\r\n";
    body += "0\r\n\r\n";
    HttpClient direct(api.service.port());
    direct.send(chunked + body);
    CHECK(direct.receive().status == 411);
    api.client.send(chunked + body);
    CHECK(api.client.receive().status == 201);
}

TEST_CASE("no request hides within another") {
    Recorder recorder;
    Edge edge(recorder.port());
    const std::string hidden = "GET /api/hidden HTTP/1.1\r\nHost: a\r\n\r\n";
    const std::string whole = std::to_string(hidden.size());
    const auto post = [&](const std::string& framing, const std::string& body) {
        return "POST /api/seen HTTP/1.1\r\nHost: a\r\n" + framing + "\r\n" + body + hidden;
    };
    const std::string attack = GENERATE_COPY(
        post("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
        post("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "0\r\n\r\n"),
        post("Content-Length: 0\r\nContent-Length: " + whole + "\r\n", ""),
        post("Content-Length: 0, " + whole + "\r\n", ""),
        post("Transfer-Encoding: xchunked\r\n", "0\r\n\r\n"),
        post("Transfer-Encoding: chunked, identity\r\n", "0\r\n\r\n"),
        post("Transfer-Encoding : chunked\r\nContent-Length: " + whole + "\r\n", ""),
        post("Transfer-Encoding:\x0b"
             "chunked\r\nContent-Length: " +
                 whole + "\r\n",
             ""),
        post("X: a\rTransfer-Encoding: chunked\r\nContent-Length: " + whole + "\r\n", ""),
        post("Content-Length: +" + whole + "\r\n", ""), post("Content-Length: 0x25\r\n", ""),
        post("Content-Length: " + whole + "\n", ""), post("X: a\nContent-Length: " + whole + "\r\n", ""));
    CAPTURE(attack);
    HttpClient client(edge.port());
    client.send(attack);
    const auto reply = client.receive();
    // A request after the attack shows that all of the attack has been dealt with.
    CHECK(HttpClient(edge.port()).request("GET", "/api/after").status == 200);
    if (reply.status != 200) {
        CHECK((reply.status == 400 || reply.status == 501));
        CHECK(client.closed_by_server());
    }
    for (const auto& request : recorder.requests()) CHECK_FALSE(request.starts_with("GET /api/hidden"));
}

TEST_CASE("lines that end in a bare line feed reach the API as proper ones") {
    Recorder recorder;
    Edge edge(recorder.port());
    HttpClient client(edge.port());
    client.send("POST /api/seen HTTP/1.1\nHost: a\nContent-Length: 2\n\nab");
    CHECK(client.receive().status == 200);
    REQUIRE(recorder.requests().size() == 1);
    const auto request = recorder.requests().front();
    for (auto at = request.find('\n'); at != std::string::npos; at = request.find('\n', at + 1))
        CHECK(request[at - 1] == '\r');
    CHECK_THAT(request, Catch::Matchers::EndsWith("\r\n\r\nab"));
}
