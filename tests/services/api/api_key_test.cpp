#include "services/api/api_key.hpp"

#include <catch2/catch.hpp>

using namespace std::chrono_literals;
using api::authenticate;

namespace {

const api::LiveKey::Clock::time_point now{1'000'000s};

api::LiveKey stored(const api::NewKey& made, std::optional<std::chrono::microseconds> expires_in = {}) {
    postgres::ApiKey row;
    row.prefix = made.identity.prefix;
    row.secret_sha256 = made.identity.secret_sha256;
    row.scopes = {"users:read"};
    row.expires_in = expires_in;
    return api::live_key(std::move(row), now);
}

}  // namespace

TEST_CASE("a key proves itself and no other") {
    const auto a = api::make_key();
    const auto b = api::make_key();
    const std::vector<api::LiveKey> keys{stored(a), stored(b)};
    CHECK(authenticate("Bearer " + a.text, keys, now) == &keys[0]);
    CHECK(authenticate("bEARER " + b.text, keys, now) == &keys[1]);

    auto mixed = a.text;
    mixed.replace(4, a.identity.prefix.size(), b.identity.prefix);
    auto unknown = a.text;
    unknown.replace(4, a.identity.prefix.size(), "000000000000");
    auto upper = a.text;
    upper.back() = static_cast<char>(upper.back() ^ 0x20);
    for (const auto& wrong : {mixed, unknown, upper, a.text + "0", a.text.substr(1), std::string()}) {
        CAPTURE(wrong);
        CHECK(authenticate("Bearer " + wrong, keys, now) == nullptr);
    }
    CHECK(authenticate(a.text, keys, now) == nullptr);
    CHECK(authenticate("Basic  " + a.text, keys, now) == nullptr);
    CHECK(authenticate("Bearer " + a.text, {}, now) == nullptr);
}

TEST_CASE("a key opens until its last moment and not from then on") {
    const auto made = api::make_key();
    const auto opens = [&](std::optional<std::chrono::microseconds> expires_in,
                           std::chrono::nanoseconds after) {
        const std::vector<api::LiveKey> keys{stored(made, expires_in)};
        return authenticate("Bearer " + made.text, keys, now + after) != nullptr;
    };
    CHECK(opens(2s, 2s - 1ns));
    CHECK_FALSE(opens(2s, 2s));
    CHECK_FALSE(opens(0s, 0s));
    CHECK(opens(std::nullopt, 5s));
    CHECK(opens(std::chrono::days(365 * 8000), 5s));
}

TEST_CASE("a key allows what it names and admin implies nothing") {
    auto key = stored(api::make_key());
    CHECK(api::allows(key, "users:read"));
    CHECK_FALSE(api::allows(key, "users:write"));
    key.row.scopes = {"admin"};
    for (const auto scope : api::known_scopes) CHECK(api::allows(key, scope) == (scope == "admin"));
}

TEST_CASE("limits that are not understood grant nothing") {
    postgres::ApiKey row;
    row.limits = "bulk=5";
    CHECK(api::live_key(row, now).limits == api::KeyLimits());
}
