#include <array>
#include <catch2/catch.hpp>
#include <string>

#include "tests/libcore/http/client.hpp"
#include "tests/libcore/http/raw_server.hpp"
#include "tests/libcore/http/tls_server.hpp"

using namespace std::chrono_literals;
using Kind = http::Failure::Kind;

TEST_CASE("a request goes over TLS and the next one over the same connection") {
    const support::Certificate certificate;
    const TlsServer server(certificate);
    Client client(server.url("localhost"), certificate.certificate());
    for (int i = 0; i < 10; ++i) CHECK(response(client.post()).body == R"({"success":true})");
    CHECK(server.connections() == 1);
    CHECK(server.server_name() == "localhost");
}

TEST_CASE("a certificate for another name is refused and nothing is sent") {
    const support::Certificate certificate;
    const TlsServer server(certificate);
    Client client(server.url("127.0.0.1"), certificate.certificate());
    const auto refused = failure(client.post());
    CHECK(refused.kind == Kind::tls);
    CHECK_FALSE(refused.written);
}

TEST_CASE("a certificate of an unknown authority is refused and nothing is sent") {
    const support::Certificate certificate;
    const TlsServer server(certificate);
    Client client(server.url("localhost"));
    const auto refused = failure(client.post());
    CHECK(refused.kind == Kind::tls);
    CHECK_FALSE(refused.written);
}

TEST_CASE("a server that speaks no TLS is refused and nothing is sent") {
    RawServer server([](tcp::socket& socket) {
        std::array<char, 100> hello;
        socket.read_some(boost::asio::buffer(hello));
        write_bytes(socket, "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
    });
    Client client("https://127.0.0.1:" + std::to_string(server.port()));
    const auto refused = failure(client.post());
    CHECK(refused.kind == Kind::tls);
    CHECK_FALSE(refused.written);
}

TEST_CASE("a TLS handshake that nobody answers ends at the deadline and nothing is sent") {
    RawServer server(wait_for_close);
    Client client("https://127.0.0.1:" + std::to_string(server.port()));
    const auto unanswered = failure(client.post("key", 200ms));
    CHECK(unanswered.kind == Kind::connect_timeout);
    CHECK_FALSE(unanswered.written);
}

TEST_CASE("a file that holds no certificate is an error at the start") {
    CHECK_THROWS_WITH(Client("https://localhost", "/nowhere/ca.pem"), Catch::Contains("/nowhere/ca.pem"));
}
