// Message types, as clients add, read, change and delete them.

#include <catch2/catch.hpp>

#include "tests/services/api_under_test.hpp"

using namespace tests;

namespace {

const std::string types = "/api/v1/message-types";
const std::string party = types + "/PARTY";

HttpReply add(Api& api, const std::string& name = "PARTY", const std::string& more = {}) {
    return api.call("POST", types,
                    R"({"name": ")" + name + R"(", "template": "Party, {first_name}!")" + more + "}");
}

/// Of all pages.
std::vector<std::string> names(Api& api, int* pages = nullptr) {
    std::vector<std::string> found;
    for (std::string query;;) {
        const auto reply = api.call("GET", types + query);
        CAPTURE(reply.body.substr(0, 200));
        REQUIRE(reply.status == 200);
        REQUIRE(reply.body.size() < 128 * 1024);
        if (pages != nullptr) ++*pages;
        const auto body = json::parse(reply.body, {.bytes = 200'000, .values = 10'000}).value();
        for (const auto& item : *body.find("items")->array()) found.push_back(*item.find("name")->string());
        if (body.find("nextCursor")->is_null()) return found;
        query = "?cursor=" + *body.find("nextCursor")->string();
    }
}

}  // namespace

TEST_CASE("a message type is added, read, changed and deleted") {
    TestDatabase database;
    Api api(database.url());
    const auto added = add(api, "PARTY", R"(, "sendAt": "18:30", "spread": "15m")");
    CAPTURE(added.body);
    REQUIRE(added.status == 201);
    CHECK(added.header("location") == party);
    CHECK(text_at(added, "template") == "Party, {first_name}!");
    CHECK(null_at(added, "lateTemplate"));
    CHECK(text_at(added, "sendAt") == "18:30");
    CHECK(text_at(added, "spread") == "15m");
    CHECK(text_at(added, "gapRule") == "shift_forward");
    CHECK(text_at(added, "foldRule") == "first");
    CHECK(text_at(added, "leapDay") == "feb28");
    CHECK(text_at(added, "catchUp") == "10d");
    CHECK(text_at(added, "maxLateness") == "2d");
    CHECK(null_at(added, "pausedUntil"));
    CHECK(api.call("GET", party).body == added.body);
    CHECK(names(api) == std::vector<std::string>{"ANNIVERSARY", "BIRTHDAY", "PARTY"});

    const auto changed = api.call("PATCH", party, R"({"lateTemplate": "Late!", "maxLateness": "90m"})");
    CAPTURE(changed.body);
    REQUIRE(changed.status == 200);
    CHECK(text_at(changed, "lateTemplate") == "Late!");
    CHECK(text_at(changed, "maxLateness") == "90m");
    CHECK(text_at(changed, "sendAt") == "18:30");
    CHECK(text_at(changed, "updatedAt") > text_at(added, "updatedAt"));
    CHECK(api.call("GET", party).body == changed.body);
    CHECK(api.call("PATCH", party, "{}").body == changed.body);

    CHECK(api.call("DELETE", party).status == 204);
    for (const auto* method : {"GET", "DELETE"}) CHECK(api.call(method, party).status == 404);
    CHECK(api.call("PATCH", party, "{}").status == 404);
    CHECK(names(api) == std::vector<std::string>{"ANNIVERSARY", "BIRTHDAY"});
    // No scheduler runs here to remove it.
    const auto again = add(api);
    CHECK(again.status == 409);
    CHECK(text_at(again, "code") == "being_removed");
    CHECK(errors_of(again) == Members{{"name", "being_removed"}});
}

TEST_CASE("everything that is wrong with a message type is named at once and nothing is stored") {
    TestDatabase database;
    Api api(database.url());
    const auto reply = api.call("POST", types,
                                R"({"name": "party", "template": "Hi {firstname}", "lateTemplate": "}",
        "sendAt": "24:00", "gapRule": "none", "foldRule": 1, "leapDay": "feb29", "catchUp": "61d",
        "maxLateness": "59s", "spread": "13h", "pausedUntil": "2020-01-01T00:00:00Z", "version": 1})");
    CHECK(reply.status == 400);
    CHECK(errors_of(reply) == Members{{"name", "invalid_name"},
                                      {"template", "unknown_placeholder"},
                                      {"lateTemplate", "invalid_template"},
                                      {"sendAt", "impossible_time"},
                                      {"gapRule", "unknown_value"},
                                      {"foldRule", "wrong_type"},
                                      {"leapDay", "unknown_value"},
                                      {"catchUp", "out_of_range"},
                                      {"maxLateness", "out_of_range"},
                                      {"spread", "out_of_range"},
                                      {"pausedUntil", "in_the_past"},
                                      {"version", "unknown_field"}});
    CHECK_THAT(reply.body, Catch::Contains("{firstname}") && Catch::Contains("{first_name}"));
    CHECK(errors_of(api.call("POST", types, "{}")) ==
          Members{{"name", "required"}, {"template", "required"}});
    CHECK(names(api).size() == 2);

    REQUIRE(add(api).status == 201);
    const auto before = api.call("GET", party).body;
    CHECK(errors_of(api.call("PATCH", party,
                             R"({"name": "OTHER", "template": null, "spread": "x", "sendAt": "10:00"})")) ==
          Members{{"name", "immutable"}, {"template", "required"}, {"spread", "impossible_duration"}});
    CHECK(api.call("GET", party).body == before);
}

TEST_CASE("a taken name is refused and so is the hundred and first type") {
    TestDatabase database;
    Api api(database.url());
    REQUIRE(add(api).status == 201);
    const auto taken = add(api);
    CHECK(taken.status == 409);
    CHECK(text_at(taken, "code") == "duplicate");
    CHECK(errors_of(taken) == Members{{"name", "duplicate"}});
    for (int n = 1; n <= 97; ++n) REQUIRE(add(api, "T" + std::to_string(n)).status == 201);
    const auto refused = add(api, "LAST");
    CHECK(refused.status == 409);
    CHECK(text_at(refused, "code") == "too_many");

    // With the longest texts all of them take several replies.
    int pages = 0;
    CHECK(names(api, &pages).size() == 100);
    CHECK(pages == 1);
    database.connection().execute("UPDATE message_types SET template = repeat('\u00fc', 2000)");
    pages = 0;
    CHECK(names(api, &pages).size() == 100);
    CHECK(pages > 2);
    CHECK(errors_of(api.call("GET", types + "?cursor=x")) == Members{{"cursor", "invalid"}});
}

TEST_CASE("a built-in type can be changed and paused but not deleted") {
    TestDatabase database;
    Api api(database.url());
    auto connection = database.connection();
    const auto rows = connection.run({"in_a_month", R"(
        SELECT to_char(at, form), to_char(at - interval '1 hour', form || '"Z"')
        FROM (SELECT date_trunc('day', now() AT TIME ZONE 'UTC') + interval '30 days' AS at,
                     'YYYY-MM-DD"T"HH24:MI:SS' AS form) AS day)"});
    const auto in_a_month = rows.front().get<std::string>(0);
    const auto an_hour_before = rows.front().get<std::string>(1);
    for (const auto* name : {"BIRTHDAY", "ANNIVERSARY"}) {
        const auto target = types + "/" + name;
        const auto refused = api.call("DELETE", target);
        CHECK(refused.status == 409);
        CHECK(text_at(refused, "code") == "built_in");
        CHECK(errors_of(api.call("PATCH", target, R"({"pausedUntil": "2999-01-01T00:00:00Z"})")) ==
              Members{{"pausedUntil", "out_of_range"}});
        CHECK(text_at(api.call("PATCH", target, R"({"pausedUntil": ")" + in_a_month + R"(+01:00"})"),
                      "pausedUntil") == an_hour_before);
        CHECK(null_at(api.call("PATCH", target, R"({"pausedUntil": null})"), "pausedUntil"));
        CHECK(text_at(api.call("PATCH", target, R"({"template": "Hurrah"})"), "template") == "Hurrah");
    }
}

TEST_CASE("who changed what of a message type is in the log") {
    TestDatabase database;
    Api api(database.url());
    REQUIRE(add(api).status == 201);
    REQUIRE(api.call("PATCH", party, R"({"sendAt": "10:00"})").status == 200);
    REQUIRE(api.call("PATCH", party, R"({"sendAt": "25:00"})").status == 400);
    REQUIRE(api.call("DELETE", party).status == 204);
    auto connection = database.connection();
    const auto rows = connection.run({"audit",
                                      "SELECT actor, action, detail::text FROM audit_log WHERE subject = "
                                      "'message_type PARTY' ORDER BY id"});
    REQUIRE(rows.size() == 3);
    for (const auto row : rows) CHECK(row.get<std::string>(0) == "test");
    CHECK(rows[0].get<std::string>(1) == "message type added");
    CHECK(rows[1].get<std::string>(1) == "message type changed");
    CHECK(rows[1].get<std::string>(2) == R"({"send_at": {"new": "10:00:00", "old": "09:00:00"}})");
    CHECK(rows[2].get<std::string>(1) == "message type deleted");
}
