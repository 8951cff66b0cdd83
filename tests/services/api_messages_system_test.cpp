// A user's messages, as clients read them.

#include <catch2/catch.hpp>
#include <set>

#include "tests/services/api_under_test.hpp"

using namespace tests;

TEST_CASE("a user's messages come newest first in pages and by status") {
    TestDatabase database;
    Api api(database.url());
    const auto location = api.add_user();
    const auto id = location.substr(location.rfind('/') + 1);
    database.connection().execute(
        "INSERT INTO message_logs (id, user_id, message_type, delivery_date, plan_version, type_version, timezone, "
        "scheduled_send_time, status, message_content, actual_send_time, api_response_code, created_at, "
        "updated_at) "
        "SELECT uuid_v7(), '" +
        id +
        "', 'BIRTHDAY', day, 1, 1, 'UTC', day + time '09:00' AT TIME ZONE 'UTC', "
        "CASE WHEN n = 3 THEN 'CANCELLED' ELSE 'SENT' END, 'Hey', now(), 200, now(), now() "
        "FROM generate_series(1, 5) n, LATERAL (SELECT current_date + n AS day) d");
    const auto page = [&](const std::string& query) {
        const auto reply = api.call("GET", location + "/messages" + query);
        CAPTURE(reply.body);
        REQUIRE(reply.status == 200);
        return json::parse(reply.body).value();
    };

    std::vector<std::string> dates;
    std::string cursor;
    do {
        const auto found = page("?limit=2" + (cursor.empty() ? "" : "&cursor=" + cursor));
        for (const auto& item : *found.find("items")->array())
            dates.push_back(*item.find("deliveryDate")->string());
        const auto* next = found.find("nextCursor")->string();
        cursor = next == nullptr ? "" : *next;
    } while (!cursor.empty());
    CHECK(dates.size() == 5);
    CHECK(std::is_sorted(dates.rbegin(), dates.rend()));
    CHECK(std::set<std::string>(dates.begin(), dates.end()).size() == 5);

    CHECK(page("?limit=5").find("nextCursor")->is_null());
    CHECK(page("?status=SENT").find("items")->array()->size() == 4);
    CHECK(page("?status=%43ANCELLED").find("items")->array()->size() == 1);
    CHECK(page("?status=FAILED").find("items")->array()->empty());
    CHECK(errors_of(api.call("GET", location + "/messages?status=sent&limit=0&cursor=x&page=2")) ==
          Members{{"status", "invalid"},
                  {"limit", "invalid"},
                  {"cursor", "invalid"},
                  {"page", "unknown_parameter"}});
    CHECK(api.call("GET", location + "/messages?limit=%zz").status == 400);
    CHECK(api.call("GET", location + "/messages?limit=1&limit=2").status == 400);
    CHECK(api.call("GET", nobody + "/messages").status == 404);
}
