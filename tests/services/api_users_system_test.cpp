// Users, as clients add, read and change them.

#include <catch2/catch.hpp>

#include "tests/services/api_under_test.hpp"
#include "tests/support/eventually.hpp"

using namespace tests;

TEST_CASE("a user is added, read, replaced, changed and deleted") {
    TestDatabase database;
    Api api(database.url());
    const auto added = api.call(
        "POST", users, user_with({{"birthdayDate", "\"1990-02-28\""}, {"locationCity", "\"Paris\""}}));
    REQUIRE(added.status == 201);
    CHECK(added.header("content-type") == "application/json");
    const auto location = added.header("location");
    CHECK(location == users + "/" + text_at(added, "id"));
    CHECK(null_at(added, "deletedAt"));

    const auto read = api.call("GET", location);
    CHECK(read.status == 200);
    CHECK(read.body == added.body);

    const auto replaced = api.call("PUT", location, user_with({{"firstName", "\"Augusta\""}}));
    CHECK(replaced.status == 200);
    CHECK(text_at(replaced, "firstName") == "Augusta");
    CHECK(null_at(replaced, "birthdayDate"));
    CHECK(null_at(replaced, "locationCity"));
    CHECK(text_at(replaced, "createdAt") == text_at(added, "createdAt"));
    CHECK(text_at(replaced, "updatedAt") > text_at(added, "updatedAt"));

    const auto changed =
        api.call("PATCH", location, R"({"anniversaryDate": "2020-05-01", "optedOut": true})");
    CHECK(changed.status == 200);
    CHECK(text_at(changed, "firstName") == "Augusta");
    CHECK(text_at(changed, "anniversaryDate") == "2020-05-01");
    CHECK(api.call("GET", location).body == changed.body);

    const auto cleared = api.call("PATCH", location, R"({"anniversaryDate": null})");
    CHECK(null_at(cleared, "anniversaryDate"));

    CHECK(api.call("DELETE", location).status == 204);
    for (const auto* method : {"GET", "DELETE"}) CHECK(api.call(method, location).status == 404);
    CHECK(api.call("PUT", location, user_with()).status == 404);
    CHECK(api.call("PATCH", location, "{}").status == 404);
    CHECK(api.call("GET", location + "/messages").status == 404);
}

TEST_CASE("every wrong field is named at once and nothing is stored") {
    TestDatabase database;
    Api api(database.url());
    const auto reply =
        api.call("POST", users,
                 R"({"firstName": 7, "lastName": "", "email": "nobody", "timezone": "Mars/Olympus",
                                    "birthdayDate": "2023-02-29", "anniversaryDate": "1066-10-14",
                                    "locationCity": ["x"], "externalId": {}, "optedOut": "yes", "role": "admin"})");
    CHECK(reply.status == 400);
    CHECK(reply.header("content-type") == "application/problem+json");
    CHECK(text_at(reply, "code") == "validation_failed");
    CHECK(text_at(reply, "requestId") == reply.header("x-request-id"));
    CHECK(errors_of(reply) == Members{{"firstName", "wrong_type"},
                                      {"lastName", "required"},
                                      {"email", "invalid_email"},
                                      {"timezone", "unknown_timezone"},
                                      {"birthdayDate", "impossible_date"},
                                      {"anniversaryDate", "out_of_range"},
                                      {"locationCity", "wrong_type"},
                                      {"externalId", "wrong_type"},
                                      {"optedOut", "wrong_type"},
                                      {"role", "unknown_field"}});
    CHECK(errors_of(api.call("POST", users, "{}")) == Members{{"firstName", "required"},
                                                              {"lastName", "required"},
                                                              {"email", "required"},
                                                              {"timezone", "required"}});

    const auto location = api.add_user();
    const auto before = api.call("GET", location).body;
    CHECK(errors_of(api.call("PATCH", location, R"({"email": null, "firstName": "Eve", "zone": "UTC"})")) ==
          Members{{"email", "required"}, {"zone", "unknown_field"}});
    CHECK(errors_of(api.call("PUT", location, R"({"email": "eve@example.com"})")) ==
          Members{{"firstName", "required"}, {"lastName", "required"}, {"timezone", "required"}});
    CHECK(api.call("GET", location).body == before);
}

TEST_CASE("every kind of zone name is accepted in any case and shown in its own") {
    TestDatabase database;
    Api api(database.url());
    const Members zones{{"UTC", "UTC"},
                        {"America/Argentina/Buenos_Aires", "America/Argentina/Buenos_Aires"},
                        {"america/port-au-prince", "America/Port-au-Prince"},
                        {"ETC/GMT+5", "Etc/GMT+5"},
                        {"asia/kathmandu", "Asia/Kathmandu"},
                        {"Pacific/Chatham", "Pacific/Chatham"},
                        {" Pacific/Kiritimati ", "Pacific/Kiritimati"}};
    int number = 0;
    for (const auto& [given, shown] : zones) {
        CAPTURE(given);
        const auto email = "\"" + std::to_string(++number) + "@example.com\"";
        const auto reply =
            api.call("POST", users, user_with({{"timezone", "\"" + given + "\""}, {"email", email}}));
        REQUIRE(reply.status == 201);
        CHECK(text_at(reply, "timezone") == shown);
    }
    for (const auto* name :
         {"posix/UTC", "localtime", "Factory", "posixrules", "CEST-2", "+05:30", "Europe", "../UTC"}) {
        CAPTURE(name);
        const auto reply =
            api.call("POST", users, user_with({{"timezone", "\"" + std::string(name) + "\""}}));
        CHECK(reply.status == 400);
        CHECK(errors_of(reply) == Members{{"timezone", "unknown_timezone"}});
    }
}

TEST_CASE("an address or external id belongs to one user whatever its case until that user is deleted") {
    TestDatabase database;
    Api api(database.url());
    const auto ada = api.add_user({{"email", "\"Ada@Example.com\""}, {"externalId", "\"e-1\""}});
    const auto eve = api.add_user({{"email", "\"eve@example.com\""}});

    const auto same_email = api.call("POST", users, user_with({{"email", "\"aDA@example.COM\""}}));
    CHECK(same_email.status == 409);
    CHECK(text_at(same_email, "code") == "duplicate");
    CHECK(errors_of(same_email) == Members{{"email", "duplicate"}});
    CHECK(errors_of(api.call("PATCH", eve, R"({"email": "ADA@example.com"})")) ==
          Members{{"email", "duplicate"}});
    CHECK(errors_of(api.call("PATCH", eve, R"({"externalId": "e-1"})")) ==
          Members{{"externalId", "duplicate"}});
    CHECK(api.call("PUT", eve, user_with({{"email", "\"ada@example.com\""}})).status == 409);
    CHECK(text_at(api.call("GET", eve), "email") == "eve@example.com");

    CHECK(api.call("PATCH", ada, R"({"email": "ada@example.com"})").status == 200);
    CHECK(api.call("DELETE", ada).status == 204);
    CHECK(api.call("PATCH", eve, R"({"email": "ada@example.com", "externalId": "e-1"})").status == 200);
}

TEST_CASE("a birthday today or tomorrow is planned with the user and follows its changes") {
    TestDatabase database;
    auto connection = database.connection();
    // Stands still at noon: 09:00 has passed in London, not yet in Honolulu.
    connection.execute(
        "INSERT INTO app_clock (base, started_at, factor) "
        "VALUES (date_trunc('day', now(), 'UTC') + interval '12 hours', now(), 0)");
    const auto rows = connection.run({"dates",
                                      "SELECT (app_now() AT TIME ZONE 'UTC')::date, "
                                      "(app_now() AT TIME ZONE 'UTC')::date + 1"});
    const auto today = domain::to_string(rows.front().get<domain::Date>(0));
    const auto tomorrow = domain::to_string(rows.front().get<domain::Date>(1));
    const auto born = [](const std::string& day) { return "\"1992-" + day.substr(5) + "\""; };
    Api api(database.url(), {{"APP_ENV", "development"}});
    const auto planned = [&](const std::string& location) {
        std::vector<std::string> found;
        const auto reply = api.call("GET", location + "/messages?status=SCHEDULED");
        CAPTURE(reply.body);
        REQUIRE(reply.status == 200);
        const auto body = json::parse(reply.body);
        for (const auto& item : *body->find("items")->array()) {
            found.push_back(*item.find("localTime")->string() + " " +
                            *item.find("scheduledSendTime")->string());
        }
        return found;
    };
    using Found = std::vector<std::string>;

    const auto hawaii = api.add_user({{"email", "\"a@example.com\""},
                                      {"timezone", "\"Pacific/Honolulu\""},
                                      {"birthdayDate", born(today)}});
    CHECK(planned(hawaii) == Found{today + "T09:00:00 " + today + "T19:00:00Z"});
    const auto london = api.add_user(
        {{"email", "\"b@example.com\""}, {"timezone", "\"UTC\""}, {"birthdayDate", born(tomorrow)}});
    CHECK(planned(london) == Found{tomorrow + "T09:00:00 " + tomorrow + "T09:00:00Z"});
    const auto late = api.add_user(
        {{"email", "\"c@example.com\""}, {"timezone", "\"UTC\""}, {"birthdayDate", born(today)}});
    CHECK(planned(late).empty());

    CHECK(api.call("PATCH", london, R"({"timezone": "Asia/Kathmandu"})").status == 200);
    CHECK(planned(london) == Found{tomorrow + "T09:00:00 " + tomorrow + "T03:15:00Z"});
    CHECK(api.call("PATCH", london, R"({"birthdayDate": null})").status == 200);
    CHECK(planned(london).empty());
}

TEST_CASE("a birthday is judged by the database's clock") {
    TestDatabase database;
    database.connection().execute("INSERT INTO app_clock VALUES (true, '2027-02-28T09:59:00Z', now(), 0)");
    Api api(database.url(), {{"APP_ENV", "development"}});
    CHECK(api.call("POST", users, user_with({{"birthdayDate", "\"2027-02-28\""}})).status == 201);
    CHECK(errors_of(api.call("POST", users, user_with({{"birthdayDate", "\"2027-03-01\""}}))) ==
          Members{{"birthdayDate", "in_the_future"}});
    database.connection().execute("UPDATE app_clock SET base = '2027-02-28T10:00:00Z'");
    CHECK(support::eventually([&] {
        return api.call("POST", users,
                        user_with({{"birthdayDate", "\"2027-03-01\""}, {"email", "\"b@example.com\""}}))
                   .status == 201;
    }));
}
