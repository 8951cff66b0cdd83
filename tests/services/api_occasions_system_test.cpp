// A user's further dates, as clients add, read and remove them.

#include <catch2/catch.hpp>

#include "tests/services/api_under_test.hpp"

using namespace tests;

namespace {

/// At noon of 1 March 2027 in UTC.
struct Calendar {
    Calendar() {
        database.connection().execute(
            "SELECT set_clock('2027-03-01T12:00:00Z', 0);"
            "INSERT INTO message_types (name, template, created_at) VALUES ('NAME_DAY', 'Hi', 'epoch'), "
            "('PARTY', 'Party!', 'epoch')");
        occasions = api.add_user({{"timezone", "\"UTC\""}}) + "/occasions";
    }

    HttpReply add(const std::string& type, const std::string& date, const std::string& more = {}) {
        return api.call("POST", occasions,
                        R"({"messageType": ")" + type + R"(", "date": ")" + date + "\"" + more + "}");
    }

    TestDatabase database;
    Api api{database.url(), {{"APP_ENV", "development"}}};
    std::string occasions;
};

}  // namespace

TEST_CASE("an occasion is added, listed and removed") {
    Calendar calendar;
    auto& api = calendar.api;
    CHECK(api.call("GET", calendar.occasions).body == R"({"items":[]})");
    const std::string party = R"({"messageType":"PARTY","date":"2027-04-01","oneOff":true})";
    const std::string name_day = R"({"messageType":"NAME_DAY","date":"2020-02-29","oneOff":false})";
    const auto added = calendar.add("PARTY", "2027-04-01", R"(, "oneOff": true)");
    CHECK(added.status == 201);
    CHECK(added.body == party);
    CHECK(calendar.add("NAME_DAY", "2020-02-29").body == name_day);
    CHECK(api.call("GET", calendar.occasions).body == R"({"items":[)" + name_day + "," + party + "]}");

    CHECK(api.call("DELETE", calendar.occasions + "/PARTY/2027-04-01").status == 204);
    CHECK(api.call("DELETE", calendar.occasions + "/PARTY/2027-04-01").status == 404);
    CHECK(api.call("DELETE", calendar.occasions + "/BIRTHDAY/2027-04-01").status == 404);
    for (const auto* path : {"/PARTY/2027-02-29", "/party/2027-04-01", "/PARTY", "/PARTY/2027-4-1"})
        CHECK(api.call("DELETE", calendar.occasions + path).status == 404);
    CHECK(api.call("GET", calendar.occasions).body == R"({"items":[)" + name_day + "]}");
}

TEST_CASE("everything that is wrong with an occasion is named at once and nothing is stored") {
    Calendar calendar;
    const auto refused = [&](const std::string& body) {
        const auto reply = calendar.api.call("POST", calendar.occasions, body);
        CHECK(reply.status == 400);
        return errors_of(reply);
    };
    CHECK(refused("{}") == Members{{"messageType", "required"}, {"date", "required"}});
    CHECK(refused(R"({"messageType": "NO_SUCH", "date": "2027-02-29", "oneOff": 1, "years": 2})") ==
          Members{{"messageType", "unknown_message_type"},
                  {"date", "impossible_date"},
                  {"oneOff", "wrong_type"},
                  {"years", "unknown_field"}});
    CHECK(refused(R"({"messageType": "BIRTHDAY", "date": "1899-12-31"})") ==
          Members{{"messageType", "field_of_user"}, {"date", "out_of_range"}});
    CHECK(refused(R"({"messageType": "PARTY", "date": "2201-01-01"})") == Members{{"date", "out_of_range"}});
    // Its time was at nine.
    CHECK(refused(R"({"messageType": "PARTY", "date": "2027-03-01", "oneOff": true})") ==
          Members{{"date", "in_the_past"}});
    CHECK(calendar.api.call("GET", calendar.occasions).body == R"({"items":[]})");
    CHECK(calendar.add("PARTY", "2027-03-01").status == 201);
    CHECK(calendar.add("PARTY", "2027-03-02", R"(, "oneOff": true)").status == 201);
    CHECK(calendar.add("PARTY", "2030-03-02").status == 201);
}

TEST_CASE("a user has an occasion once and at most a hundred") {
    Calendar calendar;
    REQUIRE(calendar.add("PARTY", "2020-01-01").status == 201);
    const auto twice = calendar.add("PARTY", "2020-01-01", R"(, "oneOff": false)");
    CHECK(twice.status == 409);
    CHECK(errors_of(twice) == Members{{"date", "duplicate"}});
    for (int n = 1; n < 100; ++n)
        REQUIRE(calendar.add("PARTY", std::to_string(1900 + n) + "-06-01").status == 201);
    const auto refused = calendar.add("NAME_DAY", "2020-01-01");
    CHECK(refused.status == 409);
    CHECK(text_at(refused, "code") == "too_many");
}

TEST_CASE("a deleted user has no occasions, nor has one who never was") {
    Calendar calendar;
    REQUIRE(calendar.add("PARTY", "2020-01-01").status == 201);
    const auto user = calendar.occasions.substr(0, calendar.occasions.rfind('/'));
    REQUIRE(calendar.api.call("DELETE", user).status == 204);
    for (const auto& target : {user, nobody}) {
        calendar.occasions = target + "/occasions";
        CHECK(calendar.api.call("GET", calendar.occasions).status == 404);
        CHECK(calendar.add("PARTY", "2020-01-01").status == 404);
        const auto reply = calendar.api.call("DELETE", calendar.occasions + "/PARTY/2020-01-01");
        CHECK(reply.status == 404);
        CHECK_THAT(reply.body, Catch::Contains("no such user"));
    }
}
