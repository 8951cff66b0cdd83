// What Pistache 0.0.5 gets wrong, one test for each, on raw sockets: none of it reaches a client or a
// handler.

#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <filesystem>
#include <functional>
#include <list>
#include <optional>
#include <string>
#include <thread>

#include "libcore/runtime/http_server.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/http_client.hpp"

using namespace std::chrono_literals;
using runtime::HttpServer;
using runtime::Reply;
using runtime::Request;
using support::HttpClient;

namespace {

Reply echo(const Request& request) {
    return {.body = std::string(request.method) + ' ' + std::string(request.path) + '?' +
                    std::string(request.query) + ' ' + std::string(request.body)};
}

std::string get(const std::string& path) {
    return "GET " + path + " HTTP/1.1\r\nHost: a\r\n\r\n";
}

int option(int socket, int level, int name) {
    int value = -1;
    socklen_t size = sizeof value;
    ::getsockopt(socket, level, name, &value, &size);
    return value;
}

std::uint16_t local_port(int socket) {
    sockaddr_in address{};
    socklen_t size = sizeof address;
    if (::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size) != 0) return 0;
    return address.sin_family == AF_INET ? ntohs(address.sin_port) : std::uint16_t{0};
}

/// The server's sockets of this process: the one that listens, or those it has accepted.
std::vector<int> sockets_of(const HttpServer& server, bool listening) {
    std::vector<int> found;
    for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
        const int fd = std::stoi(entry.path().filename());
        if (local_port(fd) == server.port() && option(fd, SOL_SOCKET, SO_ACCEPTCONN) == (listening ? 1 : 0))
            found.push_back(fd);
    }
    return found;
}

/// The first client's.
int client_socket(const HttpServer& server) {
    for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
        const int fd = std::stoi(entry.path().filename());
        sockaddr_in peer{};
        socklen_t size = sizeof peer;
        if (::getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &size) == 0 && peer.sin_family == AF_INET &&
            ntohs(peer.sin_port) == server.port())
            return fd;
    }
    return -1;
}

std::chrono::microseconds cpu_time() {
    struct rusage usage {};
    ::getrusage(RUSAGE_SELF, &usage);
    const auto of = [](const timeval& time) {
        return std::chrono::seconds(time.tv_sec) + std::chrono::microseconds(time.tv_usec);
    };
    return of(usage.ru_utime) + of(usage.ru_stime);
}

/// Each on a thread of its own, all at once; false when one of them was not content.
bool all_at_once(int clients, const std::function<bool(int client)>& work) {
    std::atomic<int> content = 0;
    {
        std::vector<std::jthread> threads;
        for (int client = 0; client < clients; ++client)
            threads.emplace_back([&, client] { content += work(client) ? 1 : 0; });
    }
    return content == clients;
}

}  // namespace

TEST_CASE("its router races on methods without a route: any method reaches the handler from many threads") {
    const HttpServer server({.threads = 4}, echo);
    CHECK(all_at_once(8, [&](int number) {
        HttpClient client(server.port());
        bool right = true;
        for (int i = 0; i < 200; ++i) {
            const auto method = "M" + std::to_string(number) + "X" + std::to_string(i);
            client.send(method + " /a HTTP/1.1\r\nHost: a\r\n\r\n");
            right = right && client.receive().body == method + " /a? ";
        }
        return right;
    }));
}

TEST_CASE("its response writer can reach another client: each reply goes to who asked") {
    const HttpServer server({.threads = 4}, echo);
    CHECK(all_at_once(16, [&](int number) {
        bool right = true;
        for (int i = 0; i < 20; ++i) {
            HttpClient client(server.port());
            const auto path = "/" + std::to_string(number) + "/" + std::to_string(i);
            client.send(get(path) + get(path + "x"));
            right = right && client.receive().body == "GET " + path + "? ";
            right = right && client.receive().body == "GET " + path + "x? ";
        }
        return right;
    }));
}

TEST_CASE("it sends what() to the client and may send twice: a failed request has one bare reply") {
    const HttpServer server({}, [](const Request& request) -> Reply {
        if (request.path == "/bad") throw std::runtime_error("the password is hunter2");
        return echo(request);
    });
    HttpClient client(server.port());
    client.send(get("/bad") + get("/bad") + get("/good"));
    for (int i = 0; i < 2; ++i) {
        const auto reply = client.receive();
        CHECK(reply.status == 500);
        CHECK(reply.body.find("hunter2") == std::string::npos);
    }
    CHECK(client.receive().body == "GET /good? ");
}

TEST_CASE("it takes 4096 bytes by default: head and body may be as large as is set") {
    const HttpServer server({.max_request_size = 80 * 1024}, echo);
    HttpClient client(server.port());
    const support::HttpHeaders headers{{"X-Large", std::string(10'000, 'h')}};
    const std::string body(64 * 1024, 'b');
    CHECK(client.request("POST", "/a", body, headers).body == "POST /a? " + body);
}

TEST_CASE("it parses what follows a 413 as a request: the connection ends there") {
    std::atomic<int> handled = 0;
    const HttpServer server({.max_request_size = 1000}, [&](const Request& request) {
        ++handled;
        return echo(request);
    });
    HttpClient client(server.port());
    const auto smuggled = get("/smuggled");
    client.send("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5000\r\n\r\n" + smuggled + smuggled);
    CHECK(client.receive().status == 413);
    CHECK(client.closed_by_server());
    CHECK(handled == 0);
}

TEST_CASE("it drops the second of two pipelined requests: both are answered in order") {
    const HttpServer server({}, echo);
    HttpClient client(server.port());
    client.send(get("/1") + "POST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi" + get("/3"));
    for (const auto* body : {"GET /1? ", "POST /2? hi", "GET /3? "}) CHECK(client.receive().body == body);
}

TEST_CASE("without a Connection header it says Close and does not: the connection is kept and says so") {
    const HttpServer server({}, echo);
    HttpClient client(server.port());
    for (int i = 0; i < 3; ++i) {
        client.send(get("/a"));
        CHECK(client.receive().header("connection") == "Keep-Alive");
    }
    client.send("GET /a HTTP/1.0\r\n\r\n");
    CHECK(client.receive().header("connection") == "close");
    CHECK(client.closed_by_server());
}

TEST_CASE("it never answers Expect: 100-continue: the client is told to go on") {
    const HttpServer server({}, echo);
    HttpClient client(server.port(), 5s);
    client.send("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
    CHECK(client.receive("HEAD").status == 100);
    client.send("hi");
    CHECK(client.receive().body == "POST /a? hi");
}

TEST_CASE("it sends a body after HEAD: the next reply begins where the head ends") {
    const HttpServer server({}, echo);
    HttpClient client(server.port());
    client.send("HEAD /a HTTP/1.1\r\nHost: a\r\n\r\n" + get("/b"));
    CHECK(client.receive("HEAD").header("content-length") == "8");
    CHECK(client.receive().body == "GET /b? ");
}

TEST_CASE("it reads a Content-Length of abc as 0 and fails to allocate a huge one: both are refused") {
    const auto [length, status] = GENERATE(table<std::string, int>({{"abc", 400},
                                                                    {"-1", 400},
                                                                    {"0x10", 400},
                                                                    {"4611686018427387904", 413},
                                                                    {"18446744073709551615", 413},
                                                                    {"99999999999999999999999", 413}}));
    CAPTURE(length);
    const HttpServer server({}, echo);
    HttpClient client(server.port());
    client.send("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: " + length + "\r\n\r\n" + get("/smuggled"));
    const auto reply = client.receive();
    CHECK(reply.status == status);
    CHECK(reply.body.find("bad_alloc") == std::string::npos);
    CHECK(client.closed_by_server());
    CHECK(support::http_get(server.port(), "/b").status == 200);
}

TEST_CASE(
    "it takes the first of two parameters and decodes none: the handler sees the target as it was sent") {
    const HttpServer server({}, echo);
    CHECK(support::http_get(server.port(), "/a%2Fb%00?x=1&x=%32&y=+").body == "GET /a%2Fb%00?x=1&x=%32&y=+ ");
}

TEST_CASE("it drops raw headers of a reply: each of ours arrives") {
    const HttpServer server({}, [](const Request&) {
        return Reply{.status = 429,
                     .headers = {{"Retry-After", "7"}, {"X-Odd-One", "a b"}, {"Allow", "GET"}}};
    });
    const auto reply = support::http_get(server.port(), "/a");
    CHECK(reply.status == 429);
    CHECK(reply.header("retry-after") == "7");
    CHECK(reply.header("x-odd-one") == "a b");
    CHECK(reply.header("allow") == "GET");
}

TEST_CASE("it spins while a client does not read: others are served and the processor rests") {
    constexpr std::size_t reply_size = 100'000;
    std::atomic<int> replies = 0;
    const HttpServer server({.threads = 1}, [&](const Request&) {
        ++replies;
        return Reply{.body = std::string(reply_size, 'x')};
    });
    HttpClient slow(server.port());
    slow.send("");
    REQUIRE(support::eventually([&] { return sockets_of(server, false).size() == 1; }));
    const int accepted = sockets_of(server, false).front();
    // Until the kernel takes no more and the server keeps the rest of a reply itself.
    const auto in_kernel = [&] {
        int unacknowledged = 0, unread = 0;
        ::ioctl(accepted, SIOCOUTQ, &unacknowledged);
        ::ioctl(client_socket(server), FIONREAD, &unread);
        return static_cast<std::size_t>(unacknowledged + unread);
    };
    int asked = 0;
    do {
        slow.send(get("/"));
        ++asked;
    } while (asked < 200 && support::eventually([&] { return in_kernel() >= asked * reply_size; }, 200ms));
    REQUIRE(asked < 200);
    REQUIRE(replies == asked);

    HttpClient other(server.port(), 5s);
    CHECK(other.request("GET", "/").status == 200);
    const auto before = cpu_time();
    HttpClient idle(server.port(), 1s);
    idle.send("");
    CHECK_THROWS(idle.closed_by_server());  // not within the second
    CHECK(cpu_time() - before < 500ms);
    CHECK(other.request("GET", "/").status == 200);
    for (int i = 0; i < asked; ++i) REQUIRE(slow.receive().body.size() == reply_size);
}

TEST_CASE("its timeouts guard only the first request: who sends byte by byte is cut off whenever it begins") {
    const HttpServer server({.request_timeout = 600ms}, echo);
    const auto cut_off = [&](HttpClient& client, const std::string& request) {
        const auto begin = std::chrono::steady_clock::now();
        try {
            for (const char byte : request) {
                client.send(std::string(1, byte));
                HttpClient pause(server.port(), 100ms);
                pause.send("");
                CHECK_THROWS(pause.closed_by_server());
                if (std::chrono::steady_clock::now() - begin > 5s) return false;
            }
        } catch (const std::runtime_error&) {
            return true;  // nobody takes the bytes any more
        }
        return false;
    };
    HttpClient fresh(server.port(), 5s);
    CHECK(cut_off(fresh, get("/" + std::string(100, 'a'))));
    HttpClient kept(server.port(), 5s);
    CHECK(kept.request("GET", "/").status == 200);
    CHECK(cut_off(kept, get("/" + std::string(100, 'a'))));
    HttpClient body(server.port(), 5s);
    body.send("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n");
    CHECK(cut_off(body, std::string(99, 'b')));
}

TEST_CASE("its backlog option is ignored: a thousand may wait to be accepted") {
    const HttpServer server({}, echo);
    const auto listening = sockets_of(server, true);
    REQUIRE(listening.size() == 1);
    tcp_info info{};
    socklen_t size = sizeof info;
    REQUIRE(::getsockopt(listening.front(), IPPROTO_TCP, TCP_INFO, &info, &size) == 0);
    // Of a listening socket the kernel shows its backlog there.
    CHECK(info.tcpi_sacked == 1000);
}

TEST_CASE(
    "it sets no flags by default: sockets do not delay, are not inherited, and the port is free at once") {
    std::optional<HttpServer> server(std::in_place, HttpServer::Settings{}, echo);
    HttpClient client(server->port());
    CHECK(client.request("GET", "/").status == 200);
    const auto listening = sockets_of(*server, true);
    const auto accepted = sockets_of(*server, false);
    REQUIRE(listening.size() == 1);
    REQUIRE(accepted.size() == 1);
    CHECK((::fcntl(listening.front(), F_GETFD) & FD_CLOEXEC) != 0);
    CHECK((::fcntl(accepted.front(), F_GETFD) & FD_CLOEXEC) != 0);
    CHECK(option(accepted.front(), IPPROTO_TCP, TCP_NODELAY) != 0);
    const auto port = server->port();
    server.reset();  // closes first, and so leaves the connection in TIME_WAIT
    server.emplace(HttpServer::Settings{.port = port}, echo);
    CHECK(support::http_get(port, "/a").status == 200);
}

TEST_CASE("its shutdown does not drain: a request in hand is answered") {
    std::atomic<bool> inside = false;
    std::atomic<bool> released = false;
    HttpServer server({.threads = 4}, [&](const Request& request) {
        inside = true;
        support::eventually([&] { return released.load(); });
        return echo(request);
    });
    HttpClient client(server.port());
    client.send(get("/a"));
    REQUIRE(support::eventually([&] { return inside.load(); }));
    const std::jthread stopper([&] { server.stop(); });
    // Whoever comes now is refused, unless it is by the thread that is busy.
    REQUIRE(support::eventually([&] {
        try {
            return HttpClient(server.port(), 100ms).request("GET", "/b").status == 503;
        } catch (const std::runtime_error&) {
            return false;
        }
    }));
    released = true;
    CHECK(client.receive().body == "GET /a? ");
}

TEST_CASE(
    "it accepts until no file is left, and then spins: a flood is turned away and others are served again") {
    const HttpServer server({.threads = 2, .max_connections = 50}, echo);
    HttpClient before(server.port());
    CHECK(before.request("GET", "/").status == 200);
    {
        std::list<HttpClient> flood;
        for (int i = 0; i < 500; ++i) flood.emplace_back(server.port()).send("");
        REQUIRE(support::eventually([&] { return sockets_of(server, false).size() <= 50; }));
        const auto started = cpu_time();
        HttpClient late(server.port());
        late.send("");
        CHECK(late.closed_by_server());
        CHECK(before.request("GET", "/").status == 200);
        CHECK(cpu_time() - started < 500ms);
    }
    CHECK(support::eventually([&] {
        try {
            return support::http_get(server.port(), "/").status == 200;
        } catch (const std::runtime_error&) {
            return false;
        }
    }));
    CHECK(support::eventually([&] { return sockets_of(server, false).size() <= 1; }));
}

TEST_CASE("a connection on which nothing comes is closed, and one whose client has said all is answered") {
    const HttpServer server({.request_timeout = 300ms}, echo);
    HttpClient silent(server.port(), 5s);
    silent.send("");
    HttpClient half_closed(server.port(), 5s);
    half_closed.send(get("/a"));
    half_closed.finish_sending();
    CHECK(half_closed.receive().body == "GET /a? ");
    CHECK(silent.receive().status == 408);
    CHECK(silent.closed_by_server());
}
