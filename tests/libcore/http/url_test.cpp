#include "libcore/http/url.hpp"

#include <catch2/catch.hpp>

using http::host_header;
using http::parse_url;
using http::Url;

TEST_CASE("a URL is taken apart") {
    CHECK(parse_url("http://mail.example.org") == Url{false, "mail.example.org", 80, ""});
    CHECK(parse_url("HTTPS://mail.example.org/") == Url{true, "mail.example.org", 443, ""});
    CHECK(parse_url("https://mail.example.org:8443/v1/") == Url{true, "mail.example.org", 8443, "/v1"});
    CHECK(parse_url("http://127.0.0.1:3100") == Url{false, "127.0.0.1", 3100, ""});
    CHECK(parse_url("http://[::1]:3100/a") == Url{false, "::1", 3100, "/a"});
    CHECK(parse_url("https://[2001:db8::1]") == Url{true, "2001:db8::1", 443, ""});
}

TEST_CASE("what is not a base URL is refused") {
    for (const char* text : {"",
                             "mail.example.org",
                             "ftp://mail.example.org",
                             "http://",
                             "http:///path",
                             "http://host:",
                             "http://host:0",
                             "http://host:65536",
                             "http://host:80x",
                             "http://user:secret@host",
                             "http://host/?a=b",
                             "http://host/#top",
                             "http://host?a",
                             "http://ho st",
                             "http://host/a b",
                             "http://host/a\r\nX: y",
                             "http://[::1",
                             "http://[host]",
                             "http://[::1]x",
                             "http://[]",
                             "http://::1",
                             "http://h%6fst"}) {
        CAPTURE(text);
        CHECK_FALSE(parse_url(text));
    }
    CHECK_FALSE(parse_url(std::string_view("http://[::1\0]", 13)));
}

TEST_CASE("the Host header names the port only when it is not the default") {
    CHECK(host_header(Url{false, "host", 80, ""}) == "host");
    CHECK(host_header(Url{true, "host", 443, ""}) == "host");
    CHECK(host_header(Url{true, "host", 80, ""}) == "host:80");
    CHECK(host_header(Url{false, "::1", 3100, ""}) == "[::1]:3100");
}
