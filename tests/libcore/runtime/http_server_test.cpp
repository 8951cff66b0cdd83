#include "libcore/runtime/http_server.hpp"

#include <algorithm>
#include <atomic>
#include <catch2/catch.hpp>
#include <filesystem>
#include <future>
#include <list>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>

#include "tests/support/eventually.hpp"
#include "tests/support/http_client.hpp"

using namespace std::chrono_literals;
using runtime::HttpServer;
using runtime::Reply;
using runtime::Request;
using support::HttpClient;

namespace {

/// Answers with what it was asked.
Reply echo(const Request& request) {
    Reply reply;
    reply.content_type = "text/plain";
    reply.body = std::string(request.method) + ' ' + std::string(request.path) + '?' +
                 std::string(request.query) + ' ' + std::string(request.body);
    reply.headers = {{"X-Request-Id", std::string(request.header("x-request-id"))},
                     {"X-Peer", std::string(request.peer_address)}};
    return reply;
}

std::string get(const std::string& path) {
    return "GET " + path + " HTTP/1.1\r\nHost: a\r\n\r\n";
}

std::ptrdiff_t open_sockets() {
    return std::ranges::count_if(std::filesystem::directory_iterator("/proc/self/fd"), [](const auto& entry) {
        std::error_code gone;
        return std::filesystem::read_symlink(entry, gone).string().starts_with("socket:");
    });
}

}  // namespace

TEST_CASE("a handler sees the request and the client its reply") {
    const HttpServer server({}, echo);
    HttpClient client(server.port());
    const auto reply = client.request("POST", "/users?a=1", "body", {{"X-Request-Id", "42"}});
    CHECK(reply.status == 200);
    CHECK(reply.body == "POST /users?a=1 body");
    CHECK(reply.header("x-request-id") == "42");
    CHECK(reply.header("x-peer") == "127.0.0.1");
    CHECK(reply.header("content-type") == "text/plain");
    CHECK(reply.header("connection") == "Keep-Alive");
    CHECK(reply.header("date").ends_with(" GMT"));
}

TEST_CASE("the server listens on IPv6") {
    const HttpServer server({.bind = "::1"}, echo);
    CHECK(server.port() != 0);
}

TEST_CASE("an address in use is an error at start") {
    const HttpServer first({}, echo);
    CHECK_THROWS_AS(HttpServer({.port = first.port()}, echo), std::exception);
    CHECK_THROWS_AS(HttpServer({.bind = "192.0.2.1"}, echo), std::exception);
}

TEST_CASE("a reply to HEAD has the length and no body") {
    const HttpServer server({}, echo);
    HttpClient client(server.port());
    client.send("HEAD /a HTTP/1.1\r\nHost: a\r\n\r\n" + get("/b"));
    const auto head = client.receive("HEAD");
    CHECK(head.header("content-length") == "8");
    CHECK(head.body.empty());
    CHECK(client.receive().body == "GET /b? ");
}

TEST_CASE("pipelined requests are all answered in order") {
    const HttpServer server({}, echo);
    HttpClient client(server.port());
    std::string requests;
    for (int i = 0; i < 100; ++i) requests += get("/" + std::to_string(i));
    client.send(requests);
    for (int i = 0; i < 100; ++i) REQUIRE(client.receive().body == "GET /" + std::to_string(i) + "? ");
}

TEST_CASE("a request that arrives byte by byte is answered once") {
    const HttpServer server({}, echo);
    HttpClient client(server.port());
    for (const char byte : std::string("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"))
        client.send(std::string(1, byte));
    CHECK(client.receive("POST").body == "POST /a? hello");
    CHECK(client.request("GET", "/b").body == "GET /b? ");
}

TEST_CASE("a body as large as allowed arrives whole and one byte more is refused") {
    const HttpServer server({.max_request_size = 50'000}, echo);
    HttpClient client(server.port());
    const std::string body(49'000, 'x');
    CHECK(client.request("POST", "/a", body).body == "POST /a? " + body);
    HttpClient refused(server.port());
    refused.send("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 50001\r\n\r\n" + get("/smuggled"));
    CHECK(refused.receive("POST").status == 413);
    CHECK(refused.closed_by_server());
}

TEST_CASE("after a malformed request the connection is closed and what follows is not served") {
    const auto [bytes, status] = GENERATE(table<std::string, int>({
        {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: abc\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nContent-Length: 40\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 411},
        {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9223372036854775807\r\n\r\n", 413},
        {"nonsense\r\n\r\n", 400},
        {"\x16\x03\x01\x02\r\n\r\n", 400},
    }));
    CAPTURE(bytes);
    std::atomic<int> handled = 0;
    const HttpServer server({}, [&](const Request& request) {
        ++handled;
        return echo(request);
    });
    HttpClient client(server.port());
    client.send(bytes + get("/smuggled"));
    const auto reply = client.receive("POST");
    CHECK(reply.status == status);
    CHECK(reply.header("content-type") == "application/problem+json");
    CHECK(reply.header("connection") == "close");
    CHECK(client.closed_by_server());
    CHECK(handled == 0);
}

TEST_CASE("a client that expects 100 Continue gets it before its body is sent") {
    const HttpServer server({}, echo);
    HttpClient client(server.port(), 5s);
    client.send("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
    CHECK(client.receive("HEAD").status == 100);
    client.send("hello");
    CHECK(client.receive("POST").body == "POST /a? hello");
}

TEST_CASE("what a handler throws is a bare 500 and the connection lives") {
    const HttpServer server({}, [](const Request& request) -> Reply {
        if (request.path == "/odd") throw 42;
        if (request.path == "/bad") throw std::runtime_error("the password is hunter2");
        return echo(request);
    });
    HttpClient client(server.port());
    for (const auto* path : {"/bad", "/odd"}) {
        const auto reply = client.request("GET", path);
        CHECK(reply.status == 500);
        CHECK(reply.body ==
              R"({"type":"about:blank","title":"Internal error","status":500,"code":"internal"})");
    }
    CHECK(client.request("GET", "/good").status == 200);
}

TEST_CASE("a connection is closed when the client asks for it") {
    const HttpServer server({}, echo);
    HttpClient client(server.port());
    client.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    CHECK(client.receive().status == 200);
    CHECK(client.closed_by_server());
}

TEST_CASE("a reply without content has neither body nor length") {
    const HttpServer server({}, [](const Request&) { return Reply{.status = 204}; });
    HttpClient client(server.port());
    client.send(get("/a"));
    const auto reply = client.receive("HEAD");
    CHECK(reply.status == 204);
    CHECK(reply.header("content-length").empty());
    CHECK(client.request("HEAD", "/b").status == 204);
}

TEST_CASE("a client that does not finish its request is cut off also on a kept connection") {
    const HttpServer server({.request_timeout = 500ms}, echo);
    HttpClient fresh(server.port(), 5s);
    fresh.send("GET / HT");
    CHECK(fresh.receive().status == 408);
    HttpClient kept(server.port(), 5s);
    CHECK(kept.request("GET", "/").status == 200);
    kept.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhel");
    CHECK(kept.receive().status == 408);
    CHECK(kept.closed_by_server());
}

TEST_CASE("an idle connection is closed after the keep-alive timeout and not before") {
    const HttpServer server({.request_timeout = 200ms, .keep_alive_timeout = 1500ms}, echo);
    HttpClient client(server.port(), 8s);
    CHECK(client.request("GET", "/").status == 200);
    const auto begin = std::chrono::steady_clock::now();
    CHECK(client.closed_by_server());
    CHECK(std::chrono::steady_clock::now() - begin > 1s);
}

TEST_CASE("a client that pipelines without reading is cut off") {
    std::atomic<int> served = 0;
    const HttpServer server({}, [&](const Request&) {
        ++served;
        return Reply{.body = std::string(100'000, 'x')};
    });
    HttpClient client(server.port(), 5s);
    std::string requests;
    for (int i = 0; i < 1000; ++i) requests += get("/");
    client.send(requests);
    int seen = 0;
    auto since = std::chrono::steady_clock::now();
    REQUIRE(support::eventually([&] {
        if (std::exchange(seen, served.load()) != seen) since = std::chrono::steady_clock::now();
        return seen > 0 && std::chrono::steady_clock::now() - since > 500ms;
    }));
    CHECK(seen < 1000);
    const auto read_all = [&] {
        for (int i = 0; i < 1000; ++i) client.receive();
    };
    CHECK_THROWS(read_all());
    HttpClient other(server.port(), 5s);
    CHECK(other.request("GET", "/").status == 200);
}

TEST_CASE("stop refuses new requests and finishes those in hand") {
    std::promise<void> go_on;
    const auto may_go_on = go_on.get_future().share();
    HttpServer server({.threads = 3}, [&](const Request& request) {
        if (request.path == "/slow") may_go_on.wait_for(10s);
        return echo(request);
    });
    HttpClient slow(server.port());
    slow.send(get("/slow"));
    REQUIRE(support::eventually([&] { return server.in_flight() == 1; }));
    std::jthread stopper([&] { server.stop(); });
    // Those that Pistache gives to the busy thread get no answer; they stay open, so that the next is given
    // to another.
    std::list<HttpClient> others;
    CHECK(support::eventually([&] {
        try {
            return others.emplace_back(server.port(), 200ms).request("GET", "/").status == 503;
        } catch (const std::runtime_error&) {
            return false;
        }
    }));
    go_on.set_value();
    CHECK(slow.receive().body == "GET /slow? ");
    stopper.join();
    server.stop();
    CHECK_THROWS(HttpClient(server.port()).request("GET", "/"));
}

TEST_CASE("a handler that never ends delays a stop by the drain timeout at most") {
    std::promise<void> go_on;
    const auto may_go_on = go_on.get_future().share();
    HttpServer server({.drain_timeout = 100ms}, [&](const Request& request) {
        may_go_on.wait_for(1s);
        return echo(request);
    });
    HttpClient client(server.port());
    client.send(get("/"));
    REQUIRE(support::eventually([&] { return server.in_flight() == 1; }));
    const auto begin = std::chrono::steady_clock::now();
    server.stop();
    CHECK(std::chrono::steady_clock::now() - begin < 3s);
}

TEST_CASE("servers that come and go leave no connection open") {
    for (int i = 0; i < 20; ++i) {
        std::optional<HttpServer> server(std::in_place, HttpServer::Settings{}, echo);
        HttpClient served(server->port(), 5s);
        CHECK(served.request("GET", "/").status == 200);
        server.reset();
        CHECK(served.closed_by_server());
    }
    CHECK(open_sockets() == 0);
}
