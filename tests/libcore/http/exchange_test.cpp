#include "libcore/http/exchange.hpp"

#include <catch2/catch.hpp>

using namespace std::chrono_literals;
using http::parse_http_date;
using http::parse_retry_after;

namespace {

std::string bytes_of(const http::Request& request) {
    std::string bytes = "what was here before";
    http::serialise(request, "host", bytes);
    return bytes;
}

constexpr std::chrono::sys_seconds example{784111777s};  // RFC 9110: Sun, 06 Nov 1994 08:49:37 GMT

}  // namespace

TEST_CASE("a request has every header that it was given and its body as it is") {
    http::Request request{.target = "/send-email", .body = std::string("{\0\xff}", 4)};
    CHECK(bytes_of(request) ==
          "POST /send-email HTTP/1.1\r\nHost: host\r\nContent-Type: application/json\r\n"
          "Content-Length: 4\r\n\r\n" +
              request.body);
    request.idempotency_key = "key";
    request.authorization = "Bearer token";
    CHECK(bytes_of(request).find("\r\nIdempotency-Key: key\r\nAuthorization: Bearer token\r\n\r\n") !=
          std::string::npos);
}

TEST_CASE("a header value cannot add a header") {
    const auto bytes = bytes_of({.target = "/", .body = "", .idempotency_key = "a\r\nX-Evil: 1"});
    CHECK(bytes.find("\r\nIdempotency-Key: a%0D%0AX-Evil: 1\r\n") != std::string::npos);
}

TEST_CASE("Retry-After is a number of seconds") {
    CHECK(parse_retry_after("0", example) == 0s);
    CHECK(parse_retry_after("120", example) == 120s);
}

TEST_CASE("Retry-After is a date and never lies in the past") {
    CHECK(parse_retry_after("Sun, 06 Nov 1994 08:50:07 GMT", example) == 30s);
    CHECK(parse_retry_after("Sun, 06 Nov 1994 08:49:07 GMT", example) == 0s);
}

TEST_CASE("Retry-After is at most a day") {
    CHECK(parse_retry_after("86401", example) == 24h);
    CHECK(parse_retry_after("99999999999999999999999", example) == 24h);
    CHECK(parse_retry_after("Sun, 06 Nov 2094 08:49:37 GMT", example) == 24h);
}

TEST_CASE("Retry-After that is neither is ignored") {
    for (const char* text : {"", "-1", "1.5", "soon", "12 ", "+3"}) {
        CAPTURE(text);
        CHECK_FALSE(parse_retry_after(text, example));
    }
}

TEST_CASE("an HTTP date is read in all three forms") {
    CHECK(parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT") == example);
    CHECK(parse_http_date("Sunday, 06-Nov-94 08:49:37 GMT") == example);
    CHECK(parse_http_date("Sun Nov  6 08:49:37 1994") == example);
    CHECK_FALSE(parse_http_date("1994-11-06T08:49:37Z"));
    CHECK_FALSE(parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT+1"));
}
