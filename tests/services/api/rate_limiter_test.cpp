#include "services/api/rate_limiter.hpp"

#include <catch2/catch.hpp>

using namespace std::chrono_literals;
using api::LiveKey;
using api::RateLimiter;
using api::RequestClass;

namespace {

const RateLimiter::Clock::time_point start{1'000'000s};

LiveKey key(const std::string& prefix, const std::string& limits = "") {
    postgres::ApiKey row;
    row.prefix = prefix;
    if (!limits.empty()) row.limits = limits;
    return api::live_key(std::move(row), start);
}

api::Address address(std::string_view text) {
    return api::parse_address(text).value();
}

/// How many of 1000 at once are admitted.
int admitted(RateLimiter& limiter, const LiveKey& by, std::string_view from, RequestClass of) {
    int count = 0;
    for (int i = 0; i < 1000; ++i) count += limiter.admit(by, address(from), of, start).admitted ? 1 : 0;
    return count;
}

int strangers_admitted(RateLimiter& limiter, std::string_view from) {
    int count = 0;
    for (int i = 0; i < 1000; ++i) count += limiter.admit_stranger(address(from), start).admitted ? 1 : 0;
    return count;
}

}  // namespace

TEST_CASE("each class has its own limit (M09)") {
    RateLimiter limiter({}, 1);
    const auto a = key("a");
    CHECK(admitted(limiter, a, "192.0.2.1", RequestClass::create) == 10);
    CHECK(admitted(limiter, a, "192.0.2.1", RequestClass::update) == 20);
    CHECK(admitted(limiter, a, "192.0.2.1", RequestClass::read) == 100);
    CHECK(admitted(limiter, a, "192.0.2.1", RequestClass::remove) == 10);
}

TEST_CASE("a key is limited wherever it is used from, and an address whatever the key (M09)") {
    RateLimiter limiter({}, 1);
    CHECK(admitted(limiter, key("a"), "192.0.2.1", RequestClass::create) == 10);
    CHECK(admitted(limiter, key("a"), "192.0.2.2", RequestClass::create) == 0);
    CHECK(admitted(limiter, key("b"), "192.0.2.1", RequestClass::create) == 0);
    // What the exhausted key was refused was not taken from the second address.
    CHECK(admitted(limiter, key("b"), "192.0.2.2", RequestClass::create) == 10);
}

TEST_CASE("a key's own limit replaces both of that class and no other") {
    RateLimiter limiter({}, 1);
    CHECK(admitted(limiter, key("a"), "192.0.2.1", RequestClass::create) == 10);
    const auto own = key("b", "create=600,read=5");
    CHECK(admitted(limiter, own, "192.0.2.1", RequestClass::create) == 600);
    CHECK(admitted(limiter, own, "192.0.2.1", RequestClass::read) == 5);
    CHECK(admitted(limiter, own, "192.0.2.1", RequestClass::update) == 20);
    CHECK(admitted(limiter, key("c", "none"), "192.0.2.1", RequestClass::create) == 1000);
    CHECK(limiter.admit(key("c", "none"), address("192.0.2.1"), RequestClass::read, start).limit == 0);
}

TEST_CASE("who comes without a key is counted by address and takes nothing from those with one") {
    RateLimiter limiter({}, 1);
    CHECK(strangers_admitted(limiter, "192.0.2.1") == 100);
    CHECK(strangers_admitted(limiter, "192.0.2.2") == 100);
    CHECK(strangers_admitted(limiter, "2001:db8::1") == 100);
    CHECK(strangers_admitted(limiter, "2001:db8::2") == 0);  // the same network
    CHECK(admitted(limiter, key("a"), "192.0.2.1", RequestClass::read) == 100);
}

TEST_CASE("a refusal says when the next request can be admitted") {
    RateLimiter limiter({}, 1);
    const auto a = key("a");
    const auto first = limiter.admit(a, address("192.0.2.1"), RequestClass::create, start);
    CHECK(first.limit == 10);
    CHECK(first.remaining == 9);
    admitted(limiter, a, "192.0.2.1", RequestClass::create);
    const auto refused = limiter.admit(a, address("192.0.2.1"), RequestClass::create, start);
    CHECK_FALSE(refused.admitted);
    CHECK(refused.wait == 6s);
    CHECK(limiter.admit(a, address("192.0.2.1"), RequestClass::create, start + 6s).admitted);
}
