// Pausing all deliveries over HTTP.

#include <catch2/catch.hpp>

#include "tests/services/api_under_test.hpp"
#include "tests/support/eventually.hpp"

using namespace tests;

TEST_CASE("deliveries are paused by a key of scope admin whose name goes into the audit log") {
    TestDatabase database;
    Api api(database.url());
    const auto admin = make_key(database.url(), "admin");
    const auto other = make_key(database.url(), "users:read,users:write,messages:read");
    const std::string pause = "/api/v1/pause";
    REQUIRE(support::eventually([&] { return api.call_as(other, "GET", pause).status == 403; }));
    CHECK(api.call_as(other, "POST", pause, R"({"reason": "x"})").status == 403);
    CHECK(api.call_as(other, "POST", "/api/v1/resume").status == 403);

    const auto refused = api.call_as(admin, "POST", pause, R"({"until": "noon", "for": 1})");
    CHECK(refused.status == 400);
    CHECK(errors_of(refused) ==
          Members{{"reason", "required"}, {"until", "impossible_instant"}, {"for", "unknown_field"}});
    const auto past =
        api.call_as(admin, "POST", pause, R"({"reason": "x", "until": "2020-01-01T00:00:00Z"})");
    CHECK(errors_of(past) == Members{{"until", "in_the_past"}});
    CHECK_FALSE(*json::parse(api.call_as(admin, "GET", pause).body)->find("paused")->boolean());

    const auto paused = api.call_as(admin, "POST", pause, R"({"reason": "a wrong text"})");
    REQUIRE(paused.status == 200);
    CHECK(text_at(paused, "by") == "test");
    CHECK(text_at(paused, "reason") == "a wrong text");
    CHECK(null_at(paused, "until"));
    CHECK(errors_of(api.call_as(admin, "POST", "/api/v1/resume", R"({"reason": ""})")) ==
          Members{{"reason", "required"}});
    CHECK(api.call_as(admin, "POST", "/api/v1/resume", R"({"reason": "mended"})").status == 200);
    CHECK(api.call_as(admin, "POST", "/api/v1/resume").status == 200);
    const auto rows = database.connection().run(
        {"audit",
         "SELECT string_agg(actor || ' ' || action, ', ' ORDER BY id) FROM audit_log "
         "WHERE action LIKE 'deliveries%'"});
    CHECK(rows.front().get<std::string>(0) == "test deliveries paused, test deliveries resumed");
}
