// Why somebody got a message or did not, as clients ask.

#include <catch2/catch.hpp>

#include "tests/services/api_under_test.hpp"

using namespace tests;

namespace {

std::string reason(const HttpReply& reply) {
    CAPTURE(reply.body);
    REQUIRE(reply.status == 200);
    const auto body = json::parse(reply.body);
    REQUIRE(body);
    return *body->find("explanation")->find("code")->string();
}

}  // namespace

TEST_CASE("a message is read by its id with its timeline and its explanation") {
    TestDatabase database;
    auto sql = database.connection();
    sql.execute("SELECT set_clock('2027-03-01 08:00+00', 0)");
    Api api(database.url(), {{"APP_ENV", "development"}});
    const auto location = api.add_user({{"birthdayDate", "\"1990-03-01\""}, {"timezone", "\"UTC\""}});
    const auto listed = json::parse(api.call("GET", location + "/messages").body).value();
    const auto& item = listed.find("items")->array()->front();
    const auto message = "/api/v1/messages/" + *item.find("id")->string();

    const auto shown = api.call("GET", message);
    CHECK(reason(shown) == "waiting");
    const auto body = json::parse(shown.body).value();
    for (const auto& [name, value] : *item.object()) {
        CAPTURE(name);
        REQUIRE(body.find(name) != nullptr);
        if (const auto* text = value.string()) CHECK(*body.find(name)->string() == *text);
    }
    const auto& timeline = *body.find("timeline")->array();
    REQUIRE(timeline.size() == 1);
    CHECK(*timeline.front().find("event")->string() == "planned");
    CHECK(*timeline.front().find("at")->string() == "2027-03-01T08:00:00Z");

    sql.execute("SELECT set_clock('2027-03-04 08:00+00', 0)");
    CHECK(reason(api.call("GET", message)) == "waiting_dispatch");
    const auto unknown = api.call("GET", "/api/v1/messages/" + some_id);
    CHECK(unknown.status == 404);
    CHECK(text_at(unknown, "code") == "not_found");
    CHECK(api.call("GET", "/api/v1/messages/7").status == 404);
    CHECK(api.call("HEAD", message).status == 200);
}

TEST_CASE("any day of a user is explained, also of one that was deleted") {
    TestDatabase database;
    database.connection().execute("SELECT set_clock('2027-03-01 08:00+00', 0)");
    Api api(database.url(), {{"APP_ENV", "development"}});
    const auto location = api.add_user({{"birthdayDate", "\"1990-03-01\""}, {"timezone", "\"UTC\""}});
    const auto ask = [&](const std::string& query) {
        return api.call("GET", location + "/explanation?" + query);
    };

    const auto today = ask("type=BIRTHDAY&date=2027-03-01");
    CHECK(reason(today) == "waiting");
    CHECK(json::parse(today.body)->find("message")->find("id") != nullptr);
    const auto other = ask("type=BIRTHDAY&date=2027-03-02");
    CHECK(reason(other) == "not_this_day");
    CHECK(other.body.find("1990") == std::string::npos);
    CHECK(null_at(other, "message"));
    CHECK(json::parse(other.body)->find("otherMessages")->array()->size() == 1);
    CHECK(reason(ask("type=ANNIVERSARY&date=2027-03-01")) == "no_such_occasion");
    CHECK(reason(ask("type=NO_SUCH&date=2027-03-01")) == "no_such_type");
    CHECK(reason(ask("type=BIRTHDAY&date=2028-03-01")) == "not_planned_yet");

    REQUIRE(api.call("DELETE", location).status == 204);
    CHECK(api.call("GET", location).status == 404);
    CHECK(reason(ask("type=BIRTHDAY&date=2027-03-01")) == "cancelled_deleted");
    CHECK(reason(ask("type=BIRTHDAY&date=2028-03-01")) == "deleted");
    CHECK(api.call("GET", nobody + "/explanation?type=BIRTHDAY&date=2027-03-01").status == 404);
}

TEST_CASE("a question about a day names what is wrong with it") {
    TestDatabase database;
    Api api(database.url());
    const auto location = api.add_user();
    const auto errors = [&](const std::string& query) {
        return errors_of(api.call("GET", location + "/explanation" + query));
    };
    CHECK(errors("") == Members{{"type", "required"}, {"date", "required"}});
    CHECK(errors("?type=birthday&date=2027-02-29") == Members{{"type", "invalid"}, {"date", "invalid"}});
    CHECK(errors("?type=" + std::string(41, 'A') + "&date=1899-12-31") ==
          Members{{"type", "invalid"}, {"date", "invalid"}});
    CHECK(errors("?type=BIRTHDAY&date=2201-01-01&zone=UTC") ==
          Members{{"date", "invalid"}, {"zone", "unknown_parameter"}});
}

TEST_CASE(
    "what was missed is listed over the API, page by page, and a question that no index answers is refused") {
    TestDatabase database;
    auto sql = database.connection();
    sql.execute(
        "SELECT set_clock('2027-03-01 08:00+00', 0); "
        "INSERT INTO message_logs (id, user_id, message_type, delivery_date, plan_version, type_version, "
        "timezone, "
        "scheduled_send_time, status, attention_at, created_at, updated_at) "
        "SELECT uuid_v7(), gen_random_uuid(), 'BIRTHDAY', '2027-02-26', 1, 1, 'UTC', '2027-02-26 09:00+00', "
        "CASE WHEN n = 1 THEN 'FAILED' ELSE 'MISSED' END, app_now(), app_now(), app_now() "
        "FROM generate_series(1, 5) n");
    Api api(database.url(), {{"APP_ENV", "development"}});
    const auto page = [&](const std::string& query) {
        const auto reply = api.call("GET", "/api/v1/messages" + query);
        CAPTURE(reply.body);
        REQUIRE(reply.status == 200);
        return json::parse(reply.body).value();
    };
    const auto count = [&](const std::string& query) { return page(query).find("items")->array()->size(); };
    CHECK(count("") == 5);
    CHECK(count("?status=MISSED") == 4);
    CHECK(count("?status=UNKNOWN") == 0);
    CHECK(count("?messageType=BIRTHDAY&from=2027-02-26T00:00:00Z&to=2027-02-27T00:00:00Z&status=FAILED") ==
          1);
    CHECK(count("?messageType=BIRTHDAY&from=2027-02-26T10:00:00Z&to=2027-02-27T00:00:00Z") == 0);
    const auto first = page("?status=MISSED&limit=3");
    CHECK(first.find("items")->array()->size() == 3);
    const auto cursor = "&cursor=" + *first.find("nextCursor")->string();
    const auto second = page("?status=MISSED&limit=3" + cursor);
    CHECK(second.find("items")->array()->size() == 1);
    CHECK(second.find("nextCursor")->is_null());

    const auto errors = [&](const std::string& query) {
        return errors_of(api.call("GET", "/api/v1/messages" + query));
    };
    CHECK(errors("?status=SENT") == Members{{"status", "invalid"}});
    CHECK(errors("?status=SENT&messageType=BIRTHDAY&from=2027-02-26T00:00:00Z") ==
          Members{{"status", "invalid"}});
    CHECK(errors("?messageType=BIRTHDAY&from=2027-02-26T00:00:00Z&to=2027-02-26T00:00:00Z") ==
          Members{{"to", "invalid"}});
    CHECK(errors("?messageType=BIRTHDAY&from=2027-02-26T00:00:00Z&to=2027-03-29T00:00:01Z") ==
          Members{{"to", "invalid"}});
    CHECK(errors("?status=missed&messageType=x&from=now&to=2027&limit=101&cursor=7&page=2") ==
          Members{{"status", "invalid"},
                  {"messageType", "invalid"},
                  {"from", "invalid"},
                  {"to", "invalid"},
                  {"limit", "invalid"},
                  {"cursor", "invalid"},
                  {"page", "unknown_parameter"}});
}
