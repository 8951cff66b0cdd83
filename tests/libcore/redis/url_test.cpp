#include "libcore/redis/url.hpp"

#include <catch2/catch.hpp>

using redis::parse_url;
using redis::Url;

TEST_CASE("a Redis URL names user, password, host, port and database") {
    CHECK(parse_url("redis://tidings:secret@cache:6380/3") ==
          Url{.host = "cache", .port = 6380, .user = "tidings", .password = "secret", .database = 3});
    CHECK(parse_url("redis://cache") == Url{.host = "cache"});
    CHECK(parse_url("redis://cache/") == Url{.host = "cache"});
    CHECK(parse_url("redis://:secret@cache") == Url{.host = "cache", .password = "secret"});
    CHECK(parse_url("redis://[::1]:7000")->host == "::1");
}

TEST_CASE("user and password are percent-decoded") {
    const auto url = parse_url("redis://a%40b:p%3Aq%2Fr@cache");
    REQUIRE(url);
    CHECK(url->user == "a@b");
    CHECK(url->password == "p:q/r");
}

TEST_CASE("a text that is no Redis URL is refused") {
    for (const auto* text :
         {"", "redis://", "rediss://cache", "http://cache", "redis://cache:0", "redis://cache:70000",
          "redis://cache:port", "redis://cache/x", "redis://cache/-1", "redis://user@cache",
          "redis://u:%zz@cache", "redis://u:%4@cache", "redis://[::1", "redis://a b", "redis://u:p@",
          "cache:6379"}) {
        CAPTURE(text);
        CHECK_FALSE(parse_url(text));
    }
}
