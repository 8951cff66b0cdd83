#include <catch2/catch.hpp>
#include <stdexcept>

#include "tests/libcore/http/client.hpp"
#include "tests/libcore/http/raw_server.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/sink/sink.hpp"

using namespace std::chrono_literals;

namespace {

std::string request(const std::string& key, const std::string& headers = "") {
    return "POST /send-email HTTP/1.1\r\nHost: x\r\nIdempotency-Key: " + key + "\r\n" + headers +
           "Content-Length: 27\r\n\r\n{\"email\":\"a\",\"message\":\"b\"}";
}

tcp::socket connected(boost::asio::io_context& io, const sink::Sink& sink) {
    tcp::socket socket(io);
    socket.connect({boost::asio::ip::make_address("127.0.0.1"), sink.port()});
    return socket;
}

/// All that comes until the sink closes.
std::string read_all(tcp::socket& socket) {
    std::string bytes;
    boost::system::error_code error;
    boost::asio::read(socket, boost::asio::dynamic_buffer(bytes), error);
    return bytes;
}

}  // namespace

TEST_CASE("the sink answers pipelined requests in order") {
    sink::Sink sink;
    boost::asio::io_context io;
    auto socket = connected(io, sink);
    write_bytes(socket, request("a") + request("b") + request("c", "Connection: close\r\n"));
    const auto answers = read_all(socket);
    CHECK(answers.find("Connection: close") > answers.rfind("HTTP/1.1 200 OK"));
    const auto entries = sink.entries();
    REQUIRE(entries.size() == 3);
    CHECK(entries[0].key == "a");
    CHECK(entries[2].key == "c");
    CHECK(sink.by_key("b").size() == 1);
    CHECK(std::chrono::system_clock::now() - entries[0].received_at < 1min);
}

TEST_CASE("the sink answers what is not HTTP with 400 and closes") {
    sink::Sink sink;
    boost::asio::io_context io;
    auto socket = connected(io, sink);
    write_bytes(socket, "hello\r\n\r\n");
    CHECK(read_all(socket).starts_with("HTTP/1.1 400 "));
}

TEST_CASE("an outage refuses new connections and closes the open ones and then ends") {
    sink::Sink sink;
    Client client(sink.url());
    CHECK(response(client.post("a")).status == 200);
    sink.stop_listening();
    CHECK(failure(client.post("b")).kind == http::Failure::Kind::refused);
    sink.listen_again();
    CHECK(response(client.post("b")).status == 200);
}

TEST_CASE("a script can begin an outage that ends by itself") {
    sink::Sink sink;
    Client client(sink.url());
    sink.play(R"({"outage_ms":50})");
    CHECK(failure(client.post()).kind == http::Failure::Kind::refused);
    CHECK(support::eventually([&] { return std::holds_alternative<http::Response>(client.post()); }));
}

TEST_CASE("a script that is none is an error of the test") {
    sink::Sink sink;
    CHECK_THROWS_AS(sink.play(R"({"rules":[{"stats":500}]})"), std::invalid_argument);
}

TEST_CASE("a cleared ledger starts again") {
    sink::Sink sink;
    Client client(sink.url());
    client.post("a");
    sink.clear_ledger();
    CHECK(sink.summary().requests == 0);
    client.post("a");
    CHECK(sink.entries().front().sequence == 1);
    CHECK(sink.summary().repeats == 0);
}

TEST_CASE("two sinks cannot take the same port") {
    sink::Sink first;
    CHECK_THROWS_AS(sink::Sink({.port = first.port()}), boost::system::system_error);
}
