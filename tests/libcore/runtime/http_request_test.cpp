#include "libcore/runtime/http_request.hpp"

#include <catch2/catch.hpp>
#include <string>

using runtime::parse_request;
using State = runtime::ParsedRequest::State;

namespace {

constexpr std::size_t max_size = 1000;

std::string post(const std::string& headers, const std::string& body = "") {
    return "POST /users HTTP/1.1\r\nHost: api\r\n" + headers + "\r\n" + body;
}

/// The status that the bytes are refused with, 0 if they are a request, -1 if they are the beginning of one.
int refusal(const std::string& bytes) {
    const auto parsed = parse_request(bytes, max_size);
    if (parsed.state == State::incomplete) return -1;
    return parsed.state == State::refused ? parsed.status : 0;
}

}  // namespace

TEST_CASE("a request is taken apart") {
    const std::string bytes =
        "POST /api/v1/users?a=%20b&c HTTP/1.1\r\nHost: api\r\nX-Request-ID:  abc \r\ncontent-length: "
        "4\r\n\r\nbodyGET";
    const auto parsed = parse_request(bytes, max_size);
    REQUIRE(parsed.state == State::complete);
    CHECK(parsed.request.method == "POST");
    CHECK(parsed.request.path == "/api/v1/users");
    CHECK(parsed.request.query == "a=%20b&c");
    CHECK(parsed.request.header("x-request-id") == "abc");
    CHECK(parsed.request.header("absent").empty());
    CHECK(parsed.request.body == "body");
    CHECK(parsed.size == bytes.size() - 3);
    CHECK(parsed.keep_alive);
}

TEST_CASE("every beginning of a request is incomplete and says how much is missing") {
    const auto whole = post("Content-Length: 5\r\n", "hello");
    for (std::size_t size = 0; size < whole.size(); ++size) {
        const auto parsed = parse_request(std::string_view(whole).substr(0, size), max_size);
        REQUIRE(parsed.state == State::incomplete);
        REQUIRE(parsed.size > size);
        REQUIRE(parsed.size <= whole.size());
    }
}

TEST_CASE("a HEAD is a GET without a body in its reply") {
    const auto parsed = parse_request("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", max_size);
    CHECK(parsed.request.method == "GET");
    CHECK(parsed.head_only);
}

TEST_CASE("the connection is kept as the version and the Connection header say") {
    const auto kept = [](const std::string& version, const std::string& connection) {
        const auto bytes = "GET / " + version + "\r\nHost: a\r\n" + connection + "\r\n";
        const auto parsed = parse_request(bytes, max_size);
        REQUIRE(parsed.state == State::complete);
        return parsed.keep_alive;
    };
    CHECK(kept("HTTP/1.1", ""));
    CHECK_FALSE(kept("HTTP/1.1", "Connection: close\r\n"));
    CHECK_FALSE(kept("HTTP/1.1", "Connection: foo, Close\r\n"));
    CHECK_FALSE(kept("HTTP/1.0", ""));
    CHECK(kept("HTTP/1.0", "Connection: Keep-Alive\r\n"));
}

TEST_CASE("an absolute target is reduced to its path") {
    const std::string bytes = "GET http://api.example/users?a HTTP/1.1\r\nHost: a\r\n\r\n";
    CHECK(parse_request(bytes, max_size).request.path == "/users");
    CHECK(refusal("GET http://api.example HTTP/1.1\r\nHost: a\r\n\r\n") == 400);
}

TEST_CASE("a body of unclear length is refused") {
    CHECK(refusal(post("Content-Length: abc\r\n", "hello")) == 400);
    CHECK(refusal(post("Content-Length: -1\r\n")) == 400);
    CHECK(refusal(post("Content-Length: +5\r\n", "hello")) == 400);
    CHECK(refusal(post("Content-Length: 5 5\r\n", "hello")) == 400);
    CHECK(refusal(post("Content-Length: 0x5\r\n", "hello")) == 400);
    CHECK(refusal(post("Content-Length:\r\n")) == 400);
    CHECK(refusal(post("Content-Length: 5, 5\r\n", "hello")) == 400);
    CHECK(refusal(post("Content-Length: 5\r\nContent-Length: 5\r\n", "hello")) == 400);
    CHECK(refusal(post("Content-Length: 5\r\ncontent-length: 0\r\n", "hello")) == 400);
    CHECK(refusal(post("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "hello")) == 400);
    CHECK(refusal(post("Transfer-Encoding: chunked\r\n", "0\r\n\r\n")) == 411);
    CHECK(refusal(post("Transfer-Encoding: xchunked\r\n")) == 411);
}

TEST_CASE("what is too large is refused before its body arrives") {
    CHECK(refusal(post("Content-Length: 100000\r\n")) == 413);
    CHECK(refusal(post("Content-Length: 18446744073709551615\r\n")) == 413);
    CHECK(refusal(post("Content-Length: 99999999999999999999999999\r\n")) == 413);
    CHECK(refusal("GET /" + std::string(20'000, 'a')) == 414);
    CHECK(refusal("GET /" + std::string(8'200, 'a') + " HTTP/1.1\r\nHost: a\r\n\r\n") == 414);
    CHECK(refusal("GET /" + std::string(8'000, 'a') + " HTTP/1.1\r\nHost: a\r\n\r\n") == 413);
    CHECK(refusal("GET / HTTP/1.1\r\nA: " + std::string(20'000, 'a')) == 431);
    std::string many;
    for (int i = 0; i < 101; ++i) many += "A: b\r\n";
    CHECK(refusal("GET / HTTP/1.1\r\nHost: a\r\n" + many + "\r\n") == 431);
}

TEST_CASE("a head that two servers could read differently is refused") {
    CHECK(refusal(post("Content-Length : 5\r\n", "hello")) == 400);
    CHECK(refusal(post("A: b\r\n c: folded\r\n")) == 400);
    CHECK(refusal(post("A: b\nContent-Length: 5\r\n", "hello")) == 400);
    CHECK(refusal(post("A: b\rc\r\n")) == 400);
    CHECK(refusal(post(std::string("A: b\0c\r\n", 8))) == 400);
    CHECK(refusal(post("no colon\r\n")) == 400);
    CHECK(refusal(post(": no name\r\n")) == 400);
    CHECK(refusal(post("Host: second\r\n")) == 400);
    CHECK(refusal("GET / HTTP/1.1\r\n\r\n") == 400);
    CHECK(refusal("GET  / HTTP/1.1\r\nHost: a\r\n\r\n") == 400);
    CHECK(refusal("GET / HTTP/1.1 \r\nHost: a\r\n\r\n") == 505);
    CHECK(refusal("GET /\x01 HTTP/1.1\r\nHost: a\r\n\r\n") == 400);
    CHECK(refusal("GET /\xc3\xa9 HTTP/1.1\r\nHost: a\r\n\r\n") == 400);
    CHECK(refusal("G@T / HTTP/1.1\r\nHost: a\r\n\r\n") == 400);
    CHECK(refusal("GET / HTTP/2.0\r\nHost: a\r\n\r\n") == 505);
    CHECK(refusal("GET /\r\nHost: a\r\n\r\n") == 400);
    CHECK(refusal(post("Expect: magic\r\n")) == 417);
}

TEST_CASE("a client that waits for 100 Continue is noticed") {
    CHECK(parse_request(post("Content-Length: 5\r\nExpect: 100-continue\r\n"), max_size).expects_continue);
    CHECK_FALSE(parse_request(post("Content-Length: 5\r\n"), max_size).expects_continue);
}
