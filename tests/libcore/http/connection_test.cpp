#include "libcore/http/connection.hpp"

#include <atomic>
#include <catch2/catch.hpp>
#include <thread>

#include "tests/libcore/http/client.hpp"
#include "tests/libcore/http/raw_server.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/sink/sink.hpp"

using namespace std::chrono_literals;
using Kind = http::Failure::Kind;

namespace {

constexpr const char* ok = "HTTP/1.1 200 OK\r\nContent-Length: 16\r\n\r\n{\"success\":true}";

std::string local(std::uint16_t port) {
    return "http://127.0.0.1:" + std::to_string(port);
}

}  // namespace

TEST_CASE("a request is answered and the next one takes the same connection") {
    sink::Sink sink;
    Client client(sink.url());
    for (int i = 0; i < 100; ++i) {
        const auto answer = response(client.post("key-" + std::to_string(i)));
        REQUIRE(answer.status == 200);
        REQUIRE(answer.body == R"({"success":true})");
    }
    CHECK(sink.connections() == 1);
    CHECK(sink.summary().delivered == 100);
}

TEST_CASE("a name is looked up and every address of it is tried") {
    sink::Sink sink;  // on 127.0.0.1 only, while localhost is ::1 first where there is IPv6
    Client client("http://localhost:" + std::to_string(sink.port()));
    CHECK(response(client.post()).status == 200);
}

TEST_CASE("the body goes out as bytes") {
    std::string received;
    {
        RawServer server([&](tcp::socket& socket) {
            received = read_request(socket);
            write_bytes(socket, ok);
        });
        Client client(server.url());
        http::Request request;
        request.target = "/send-email";
        request.body = std::string("a\0b\xff\xfe", 5);
        CHECK(response(client.send(request)).status == 200);
    }
    CHECK(received.substr(received.size() - 9) == std::string("\r\n\r\na\0b\xff\xfe", 9));
}

TEST_CASE("a refused connection is provably not sent") {
    sink::Sink sink;
    sink.stop_listening();
    Client client(sink.url());
    const auto refused = failure(client.post());
    CHECK(refused.kind == Kind::refused);
    CHECK_FALSE(refused.written);

    sink.listen_again();
    CHECK(response(client.post()).status == 200);
}

TEST_CASE("a name that does not exist is provably not sent") {
    Client client("http://nowhere.invalid");
    const auto unknown = failure(client.post());
    CHECK(unknown.kind == Kind::dns);
    CHECK_FALSE(unknown.written);
}

TEST_CASE("a connect that nobody answers ends at the deadline and is provably not sent") {
    // A full accept queue drops further SYNs.
    boost::asio::io_context io;
    tcp::acceptor acceptor(io, tcp::v4());
    acceptor.bind({boost::asio::ip::make_address("127.0.0.1"), 0});
    acceptor.listen(0);
    tcp::socket fills_the_queue(io);
    fills_the_queue.connect(acceptor.local_endpoint());

    Client client(local(acceptor.local_endpoint().port()));
    const auto started = std::chrono::steady_clock::now();
    const auto unanswered = failure(client.post("key", 200ms));
    CHECK(unanswered.kind == Kind::connect_timeout);
    CHECK_FALSE(unanswered.written);
    CHECK(std::chrono::steady_clock::now() - started < 2s);
}

TEST_CASE("nothing is sent after the deadline") {
    sink::Sink sink;
    Client client(sink.url());
    const auto late = failure(client.post("key", 0ms));
    CHECK(late.kind == Kind::timeout);
    CHECK_FALSE(late.written);
    CHECK(sink.summary().requests == 0);
}

TEST_CASE("a process that was stopped while it connected writes nothing after the deadline") {
    const RawServer server(answering("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"));
    boost::asio::io_context io;
    http::Connection connection(
        std::make_shared<http::Origin>(io.get_executor(), http::parse_url(server.url()).value(), ""));
    std::optional<http::Answer> answer;
    boost::asio::co_spawn(
        io, connection.send(http::Request{.target = "/"}, std::chrono::steady_clock::now() + 50ms),
        [&](std::exception_ptr, http::Answer sent) { answer = std::move(sent); });
    // It begins to connect, and goes on when both the connection and the deadline wait for it.
    io.poll_one();
    REQUIRE_FALSE(answer);
    std::this_thread::sleep_for(100ms);
    io.run();
    const auto late = failure(answer.value());
    CHECK(late.kind == Kind::timeout);
    CHECK_FALSE(late.written);
}

TEST_CASE("a connection that is closed after the request was written leaves it in doubt") {
    sink::Sink sink;
    sink.play(R"({"rules":[{"drop":true,"times":1}]})");
    Client client(sink.url());
    const auto dropped = failure(client.post());
    CHECK(dropped.kind == Kind::reset);
    CHECK(dropped.written);
    CHECK(sink.summary().requests == 1);

    CHECK(response(client.post()).status == 200);
}

TEST_CASE("a connection that is accepted and closed is never tried twice with a written request") {
    sink::Sink sink;
    sink.play(R"({"rules":[{"close_after_accept":true}]})");
    Client client(sink.url());
    const auto closed = failure(client.post());
    // Whether the close overtakes the write is the network's choice.
    CHECK(closed.kind == Kind::reset);
    CHECK(sink.connections() == 1);
}

TEST_CASE("a kept connection that the peer has closed is replaced without a second request") {
    std::atomic<int> closed = 0;
    std::atomic<int> requests = 0;
    RawServer server([&](tcp::socket& socket) {
        read_request(socket);
        ++requests;
        write_bytes(socket, ok);
        socket.close();
        ++closed;
    });
    Client client(server.url());
    for (int i = 1; i <= 3; ++i) {
        CHECK(response(client.post()).status == 200);
        REQUIRE(support::eventually([&] { return closed == i; }));
    }
    CHECK(server.connections() == 3);
    CHECK(requests == 3);
}

TEST_CASE("a kept connection that the peer has reset is replaced") {
    std::atomic<int> closed = 0;
    RawServer server([&](tcp::socket& socket) {
        read_request(socket);
        write_bytes(socket, ok);
        socket.set_option(boost::asio::socket_base::linger(true, 0));
        socket.close();
        ++closed;
    });
    Client client(server.url());
    CHECK(response(client.post("first")).status == 200);
    REQUIRE(support::eventually([&] { return closed == 1; }));
    CHECK(response(client.post("second")).status == 200);
}

TEST_CASE("a kept connection on which the peer spoke unasked is replaced") {
    std::atomic<int> spoken = 0;
    RawServer server([&](tcp::socket& socket) {
        read_request(socket);
        write_bytes(socket, ok);
        write_bytes(socket, "HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n");
        ++spoken;
        wait_for_close(socket);
    });
    Client client(server.url());
    CHECK(response(client.post("first")).status == 200);
    REQUIRE(support::eventually([&] { return spoken == 1; }));
    CHECK(response(client.post("second")).status == 200);
    CHECK(server.connections() == 2);
}

TEST_CASE("a kept connection that closes instead of answering leaves the request in doubt") {
    std::atomic<int> requests = 0;
    RawServer server([&](tcp::socket& socket) {
        read_request(socket);
        write_bytes(socket, ok);
        read_request(socket);
        ++requests;
    });
    Client client(server.url());
    CHECK(response(client.post("first")).status == 200);
    const auto closed = failure(client.post("second"));
    CHECK(closed.kind == Kind::reset);
    CHECK(closed.written);
    CHECK(requests == 1);
    CHECK(server.connections() == 1);
}

TEST_CASE("an answer after the deadline leaves the request in doubt") {
    sink::Sink sink;
    sink.play(R"({"rules":[{"delay_ms":60000,"times":1}]})");
    Client client(sink.url());
    const auto started = std::chrono::steady_clock::now();
    const auto late = failure(client.post("key", 100ms));
    CHECK(late.kind == Kind::timeout);
    CHECK(late.written);
    CHECK(std::chrono::steady_clock::now() - started < 2s);

    CHECK(response(client.post()).status == 200);
}

TEST_CASE("an answer that drips is bounded by the deadline") {
    sink::Sink sink;
    sink.play(R"({"rules":[{"drip_ms":10}]})");
    Client client(sink.url());
    const auto dripped = failure(client.post("key", 100ms));
    CHECK(dripped.kind == Kind::timeout);
    CHECK(dripped.written);
}

TEST_CASE("an answer that drips in time is an answer") {
    sink::Sink sink;
    sink.play(R"({"rules":[{"drip_ms":1}]})");
    Client client(sink.url());
    CHECK(response(client.post()).body == R"({"success":true})");
}

TEST_CASE("a shorter deadline follows a longer one on the same connection") {
    sink::Sink sink;
    Client client(sink.url());
    CHECK(response(client.post("first", 60s)).status == 200);
    sink.play(R"({"rules":[{"delay_ms":60000}]})");
    CHECK(failure(client.post("second", 100ms)).kind == Kind::timeout);
    CHECK(sink.connections() == 1);
}

TEST_CASE("a longer deadline follows a shorter one on the same connection") {
    sink::Sink sink;
    Client client(sink.url());
    CHECK(response(client.post("first", 50ms)).status == 200);
    sink.play(R"({"rules":[{"delay_ms":200}]})");
    CHECK(response(client.post("second", 10s)).status == 200);
    CHECK(sink.connections() == 1);
}

TEST_CASE("a request that the peer does not read ends at the deadline and is in doubt") {
    std::atomic<bool> done = false;
    RawServer server([&](tcp::socket&) { support::eventually([&] { return done.load(); }); });
    Client client(server.url());
    http::Request request;
    request.target = "/send-email";
    request.body.assign(16 * 1024 * 1024, 'x');
    const auto unread = failure(client.send(request, 2s));
    done = true;
    CHECK(unread.kind == Kind::timeout);
    CHECK(unread.written);
}

TEST_CASE("an answer of a megabyte is cut and the connection with it") {
    RawServer server(
        answering("HTTP/1.1 500 Oh\r\nContent-Length: 1048576\r\n\r\n" + std::string(1 << 20, 'x')));
    Client client(server.url());
    const auto answer = response(client.post());
    CHECK(answer.status == 500);
    CHECK(answer.body == std::string(4096, 'x'));
    CHECK(response(client.post()).status == 500);
}

TEST_CASE("an answer without a length ends with its connection") {
    RawServer server(answering("HTTP/1.0 200 OK\r\n\r\n{\"success\":true}"));
    Client client(server.url());
    CHECK(response(client.post("first")).body == R"({"success":true})");
    CHECK(response(client.post("second")).body == R"({"success":true})");
}

TEST_CASE("an answer that is not HTTP leaves the request in doubt") {
    RawServer server(answering("SSH-2.0-OpenSSH_9.2p1\r\n"));
    Client client(server.url());
    const auto garbled = failure(client.post());
    CHECK(garbled.kind == Kind::malformed);
    CHECK(garbled.written);
}

TEST_CASE("an answer that is cut off leaves the request in doubt") {
    RawServer server(answering("HTTP/1.1 200 OK\r\nContent-Length: 16\r\n\r\n{\"succ"));
    Client client(server.url());
    const auto cut = failure(client.post());
    CHECK(cut.kind == Kind::reset);
    CHECK(cut.written);
}

TEST_CASE("Retry-After is carried in both forms") {
    sink::Sink sink;
    Client client(sink.url());
    sink.play(R"({"rules":[{"status":429,"headers":{"Retry-After":"7"}}]})");
    CHECK(response(client.post()).retry_after == 7s);
    sink.play(R"({"rules":[{"status":503,"headers":{"Date":"Sun, 06 Nov 1994 08:49:37 GMT",
                                                    "Retry-After":"Sun, 06 Nov 1994 08:50:07 GMT"}}]})");
    CHECK(response(client.post()).retry_after == 30s);
    sink.play("{}");
    CHECK_FALSE(response(client.post()).retry_after);
}

TEST_CASE("lanes that connect together share one lookup") {
    sink::Sink sink;
    boost::asio::io_context io{1};
    const auto url = http::parse_url("http://localhost:" + std::to_string(sink.port())).value();
    const auto origin = std::make_shared<http::Origin>(io.get_executor(), url);
    constexpr int lanes = 20;
    int answered = 0;
    for (int lane = 0; lane < lanes; ++lane) {
        http::Request request{"/send-email", R"({"email":"a@b","message":"Hey"})"};
        request.idempotency_key = std::to_string(lane);
        http::Connection connection(origin);
        boost::asio::co_spawn(io, connection.send(request, std::chrono::steady_clock::now() + 5s),
                              [&](std::exception_ptr error, const http::Answer& answer) {
                                  if (!error && response(answer).status == 200) ++answered;
                              });
    }
    io.run();
    CHECK(answered == lanes);
}
