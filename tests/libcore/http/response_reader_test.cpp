#include "libcore/http/response_reader.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstring>
#include <string>
#include <string_view>

using Progress = http::ResponseReader::Progress;
using namespace std::chrono_literals;

namespace {

/// Feeds `bytes` in pieces of at most `piece`, until the response is complete.
Progress feed(http::ResponseReader& reader, std::string_view bytes, std::size_t piece = 4096) {
    auto progress = Progress::incomplete;
    while (!bytes.empty() && progress == Progress::incomplete) {
        const auto space = reader.space();
        const auto count = std::min({piece, bytes.size(), space.size()});
        std::memcpy(space.data(), bytes.data(), count);
        bytes.remove_prefix(count);
        progress = reader.received(count);
    }
    return progress;
}

}  // namespace

TEST_CASE("a response is read whole and byte by byte") {
    const std::string bytes =
        "HTTP/1.1 429 Too Many Requests\r\nContent-Length: 4\r\nRetry-After: 7\r\n\r\nwait";
    for (const std::size_t piece : {bytes.size(), std::size_t{1}}) {
        http::ResponseReader reader;
        REQUIRE(feed(reader, bytes, piece) == Progress::complete);
        CHECK(reader.response().status == 429);
        CHECK(reader.response().body == "wait");
        CHECK(reader.response().retry_after == 7s);
        CHECK(reader.reusable());
    }
}

TEST_CASE("a chunked response is read") {
    http::ResponseReader reader;
    const auto progress =
        feed(reader,
             "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n", 1);
    REQUIRE(progress == Progress::complete);
    CHECK(reader.response().body == "abcde");
    CHECK(reader.reusable());
}

TEST_CASE("a response without a length ends when the peer closes") {
    http::ResponseReader reader;
    CHECK(feed(reader, "HTTP/1.0 200 OK\r\n\r\nall of it") == Progress::incomplete);
    REQUIRE(reader.received_eof() == Progress::complete);
    CHECK(reader.response().body == "all of it");
    CHECK_FALSE(reader.reusable());
}

TEST_CASE("a response that is cut off is none") {
    for (const char* bytes : {"", "HTTP/1.1 200", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"}) {
        http::ResponseReader reader;
        CHECK(feed(reader, bytes) == Progress::incomplete);
        CHECK(reader.received_eof() == Progress::incomplete);
    }
}

TEST_CASE("informational responses come before the response") {
    http::ResponseReader reader;
    const auto progress = feed(reader,
                               "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
                               "HTTP/1.1 204 No Content\r\n\r\n");
    REQUIRE(progress == Progress::complete);
    CHECK(reader.response().status == 204);
}

TEST_CASE("of a long body the first 4 KiB are kept") {
    const std::string body(20'000, 'x');
    http::ResponseReader reader;
    const auto header = "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n";
    REQUIRE(feed(reader, header + body) == Progress::complete);
    CHECK(reader.response().body.size() == 4096);
    CHECK(reader.reusable());
}

TEST_CASE("a very long body is given up and with it the connection") {
    const std::string body(1 << 20, 'x');
    http::ResponseReader reader;
    REQUIRE(feed(reader, "HTTP/1.1 500 Oh\r\nContent-Length: 9999999999999999\r\n\r\n" + body) ==
            Progress::complete);
    CHECK(reader.response().status == 500);
    CHECK_FALSE(reader.reusable());
}

TEST_CASE("bytes that nobody asked for spoil the connection") {
    http::ResponseReader reader;
    REQUIRE(feed(reader, "HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 OK\r\n") == Progress::complete);
    CHECK_FALSE(reader.reusable());
}

TEST_CASE("a response that announces the close spoils the connection") {
    http::ResponseReader reader;
    REQUIRE(feed(reader, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n") ==
            Progress::complete);
    CHECK_FALSE(reader.reusable());
}

TEST_CASE("what is not HTTP is malformed") {
    const std::string long_header = "HTTP/1.1 200 OK\r\nX: " + std::string(9000, 'x') + "\r\n\r\n";
    const std::string long_extension =
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;" + std::string(100'000, 'x') + "\r\n";
    for (const std::string& bytes :
         {std::string("SSH-2.0-OpenSSH_9.2\r\n"), std::string("\x16\x03\x01\x02garbage\r\n\r\n"),
          std::string("HTTP/1.1 2x0 OK\r\n\r\n"),
          std::string("HTTP/1.1 200 OK\r\nContent-Length: abc\r\n\r\n"),
          std::string("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"),
          long_header, long_extension, std::string(100'000, 'x')}) {
        CAPTURE(bytes.substr(0, 60));
        http::ResponseReader reader;
        CHECK(feed(reader, bytes) == Progress::malformed);
    }
}

TEST_CASE("a body comes through as bytes") {
    http::ResponseReader reader;
    const std::string body("a\0b\xff\xfe", 5);
    REQUIRE(feed(reader, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n" + body) == Progress::complete);
    CHECK(reader.response().body == body);
}

TEST_CASE("a Retry-After date is counted from the clock of the provider") {
    http::ResponseReader reader;
    REQUIRE(feed(reader,
                 "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
                 "Retry-After: Sun, 06 Nov 1994 08:50:07 GMT\r\n\r\n") == Progress::complete);
    CHECK(reader.response().retry_after == 30s);
}

TEST_CASE("a trailer that comes byte by byte says nothing about when to come again") {
    const std::string head = "HTTP/1.1 503 Busy\r\nTransfer-Encoding: chunked\r\n";
    for (const std::size_t piece : {std::size_t{4096}, std::size_t{1}}) {
        http::ResponseReader reader;
        REQUIRE(feed(reader, head + "\r\n0\r\nRetry-After: 7\r\n\r\n", piece) == Progress::complete);
        CHECK_FALSE(reader.response().retry_after);
        reader.start();
        REQUIRE(feed(reader, head + "Retry-After: 3\r\n\r\n1\r\nx\r\n0\r\nRetry-After: 7\r\n\r\n", piece) ==
                Progress::complete);
        CHECK(reader.response().retry_after == 3s);
        CHECK(reader.response().body == "x");
    }
}
