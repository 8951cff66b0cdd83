#include "services/api/key_arguments.hpp"

#include <catch2/catch.hpp>

using namespace std::chrono_literals;

namespace {

const auto now = domain::parse_instant("2027-02-28T09:00:00Z").value();

domain::Result<postgres::ApiKey> read(runtime::Arguments arguments) {
    arguments.insert({{"name", "billing"}, {"scopes", "users:read"}});
    return api::read_new_key(arguments, now);
}

std::string wrong_field(const runtime::Arguments& arguments) {
    const auto key = read(arguments);
    return key ? "" : key.errors().front().field;
}

}  // namespace

TEST_CASE("a new key is as its operator wrote it") {
    const auto key =
        read({{"scopes", "admin,users:read,admin"}, {"expires", "90d"}, {"limits", "create=600"}});
    REQUIRE(key);
    CHECK(key->name == "billing");
    CHECK(key->scopes == std::vector<std::string>{"admin", "users:read"});
    CHECK(key->expires_in == 90 * 24h);
    CHECK_FALSE(key->expires_at);
    CHECK(key->limits == "create=600");
    CHECK(read({{"expires", "2027-02-28T10:00:00.5+00:30"}})->expires_at == now + 30min + 500ms);
}

TEST_CASE("every wrong argument of a new key is named") {
    for (const auto* scopes : {"", "root", "users:read,", "users:read users:write"})
        CHECK(wrong_field({{"scopes", scopes}}) == "scopes");
    for (const auto& name : {std::string(), std::string(101, 'x'), std::string("a\nb"), std::string("\xFF")})
        CHECK(wrong_field({{"name", name}}) == "name");
    CHECK(wrong_field({{"name", "誕生日"}}).empty());
    for (const auto* expires : {"", "0", "0d", "90", "-1d", "90 d", "1w", "99999999999d", "36501d",
                                "2027-02-28T09:00:00Z", "2026-01-01T00:00:00Z", "tomorrow", "infinity"}) {
        CAPTURE(expires);
        CHECK(wrong_field({{"expires", expires}}) == "expires");
    }
    CHECK(wrong_field({{"limits", "lots"}}) == "limits");
}

TEST_CASE("a span of time has a unit unless it is none") {
    CHECK(api::parse_span("0") == 0s);
    CHECK(api::parse_span("24h") == 24h);
    CHECK(api::parse_span("15m") == 15min);
    CHECK(api::parse_span("2s") == 2s);
    for (const auto* wrong : {"", "5", "h", "1.5h", "1h30m", "1ms"}) CHECK_FALSE(api::parse_span(wrong));
}
