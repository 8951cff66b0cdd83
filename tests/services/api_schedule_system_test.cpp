// What is to come, as clients read it.

#include <catch2/catch.hpp>
#include <thread>

#include "tests/services/api_under_test.hpp"
#include "tests/support/eventually.hpp"

using namespace tests;

namespace {

const std::string preview = "/api/v1/schedule/preview";

json::Value body_of(const HttpReply& reply) {
    CAPTURE(reply.body);
    REQUIRE(reply.status == 200);
    CHECK(reply.body.size() < 128 * 1024);
    return json::parse(reply.body, {.bytes = 128 * 1024, .values = 20'000}).value();
}

std::string text_in(const json::Value& object, std::string_view name) {
    const auto* value = object.find(name);
    REQUIRE(value != nullptr);
    return value->string() == nullptr ? "" : *value->string();
}

/// The items of all pages, `read` of each.
template <class Read>
std::vector<std::string> all_items(Api& api, const std::string& target, Read read) {
    std::vector<std::string> found;
    std::string cursor;
    do {
        const auto page = body_of(api.call("GET", target + (cursor.empty() ? "" : "&cursor=" + cursor)));
        for (const auto& item : *page.find("items")->array()) found.push_back(read(item));
        cursor = text_in(page, "nextCursor");
    } while (!cursor.empty());
    return found;
}

void stop_clock(TestDatabase& database, const std::string& now) {
    database.connection().execute("SELECT set_clock('" + now + "', 0)");
}

}  // namespace

TEST_CASE("a user's schedule tells each coming message, by which rule, and what is planned already") {
    TestDatabase database;
    stop_clock(database, "2027-02-27T06:00:00Z");
    Api api(database.url(), {{"APP_ENV", "development"}});
    const auto location = api.add_user({{"birthdayDate", "\"2000-02-29\""},
                                        {"anniversaryDate", "\"2020-06-30\""},
                                        {"timezone", "\"Asia/Kathmandu\""}});
    const auto describe = [](const json::Value& item) {
        const auto* planned = item.find("planned");
        return text_in(item, "messageType") + " " + text_in(item, "localTime") + text_in(item, "utcOffset") +
               " " + text_in(item, "scheduledSendTime") + " " + text_in(item, "civilRule") + " " +
               (planned->is_null() ? "" : text_in(*planned, "status"));
    };
    const std::vector<std::string> expected{
        "BIRTHDAY 2027-02-28T09:00:00+05:45 2027-02-28T03:15:00Z leap:feb28 SCHEDULED",
        "ANNIVERSARY 2027-06-30T09:00:00+05:45 2027-06-30T03:15:00Z  ",
        "BIRTHDAY 2028-02-29T09:00:00+05:45 2028-02-29T03:15:00Z  ",
        "ANNIVERSARY 2028-06-30T09:00:00+05:45 2028-06-30T03:15:00Z  "};
    CHECK(all_items(api, location + "/schedule?years=2", describe) == expected);
    CHECK(all_items(api, location + "/schedule?years=2&limit=1", describe) == expected);
    CHECK(all_items(api, location + "/schedule?limit=200", describe).size() == 2);

    CHECK(api.call("PATCH", location, R"({"optedOut": true})").status == 200);
    const auto out = body_of(api.call("GET", location + "/schedule"));
    CHECK(out.find("items")->array()->empty());
    REQUIRE(out.find("holds")->array()->size() == 1);
    CHECK(text_in(out.find("holds")->array()->front(), "reason") == "opted_out");

    CHECK(errors_of(api.call("GET", location + "/schedule?years=11&limit=201&cursor=x")) ==
          Members{{"years", "invalid"}, {"limit", "invalid"}, {"cursor", "invalid"}});
    CHECK(api.call("GET", nobody + "/schedule").status == 404);
    CHECK(api.call("DELETE", location).status == 204);
    CHECK(api.call("GET", location + "/schedule").status == 404);
}

TEST_CASE("replies stay below 128 KiB for a user of a hundred dates of the longest names") {
    TestDatabase database;
    stop_clock(database, "2027-02-27T06:00:00Z");
    Api api(database.url(), {{"APP_ENV", "development"}});
    const auto location = api.add_user({{"timezone", "\"America/Argentina/ComodRivadavia\""}});
    database.connection().execute(
        "INSERT INTO message_types (name, template, send_at, spread, leap_day) "
        "SELECT 'A_TYPE_WITH_A_NAME_AS_LONG_AS_THEY_GO_' || n, 'x', '09:00:00.123456', '1 hour', 'feb28' "
        "FROM generate_series(10, 99) n; "
        "INSERT INTO user_occasions (user_id, message_type, date) SELECT u.id, t.name, date '2004-02-29' "
        "FROM users u, message_types t WHERE t.created_at <> 'epoch'");
    const auto count = [](const json::Value& item) { return text_in(item, "messageType"); };
    CHECK(all_items(api, location + "/schedule?years=10&limit=200", count).size() == 900);
    CHECK(all_items(api, preview + "?from=2027-02-28&to=2028-02-27", count).size() == 90);
}

TEST_CASE("the preview counts what becomes due by minute and offset, page by page") {
    TestDatabase database;
    stop_clock(database, "2027-02-27T06:00:00.5Z");
    Api api(database.url(), {{"APP_ENV", "development"}});
    int number = 0;
    for (const std::string zone : {"Asia/Kathmandu", "Europe/London", "Africa/Abidjan", "America/New_York"})
        api.add_user({{"birthdayDate", "\"2000-02-29\""},
                      {"anniversaryDate", "\"2020-03-14\""},
                      {"timezone", "\"" + zone + "\""},
                      {"email", "\"" + std::to_string(++number) + "@example.com\""}});
    const auto describe = [](const json::Value& item) {
        return text_in(item, "minute") + " " + text_in(item, "utcOffset") + " " +
               text_in(item, "messageType") + " " + std::to_string(item.find("messages")->integer().value());
    };
    const std::vector<std::string> expected{
        "2027-02-28T03:15:00Z +05:45 BIRTHDAY 1",    "2027-02-28T09:00:00Z +00:00 BIRTHDAY 2",
        "2027-02-28T14:00:00Z -05:00 BIRTHDAY 1",    "2027-03-14T03:15:00Z +05:45 ANNIVERSARY 1",
        "2027-03-14T09:00:00Z +00:00 ANNIVERSARY 2", "2027-03-14T13:00:00Z -04:00 ANNIVERSARY 1"};
    CHECK(all_items(api, preview + "?from=2027-02-27&to=2027-03-15", describe) == expected);
    CHECK(all_items(api, preview + "?from=2027-02-27&to=2027-03-15&limit=1", describe) == expected);
    CHECK(all_items(api, preview + "?messageType=ANNIVERSARY&to=2027-03-15&limit=2", describe) ==
          std::vector(expected.begin() + 3, expected.end()));
    CHECK(all_items(api, preview + "?from=2027-02-28T09:00:01Z&to=2027-03-14T09:00:00%2B00:00", describe) ==
          std::vector(expected.begin() + 2, expected.begin() + 4));

    const auto day = body_of(api.call("GET", preview));
    CHECK(text_in(day, "from") == "2027-02-27T06:00:00.500000Z");
    CHECK(text_in(day, "to") == "2027-02-28T06:00:00.500000Z");
    CHECK(day.find("totals")->find("messages")->integer() == 1);
    CHECK(day.find("holds")->array()->empty());
    CHECK(api.call("POST", "/api/v1/pause", R"({"reason": "a wrong text"})").status == 200);
    const auto paused = body_of(api.call("GET", preview));
    CHECK(paused.find("totals")->find("messages")->integer() == 1);
    CHECK(text_in(paused.find("holds")->array()->front(), "reason") == "deliveries_paused");
}

TEST_CASE("a preview of a time that cannot be is refused by the name of the parameter") {
    TestDatabase database;
    stop_clock(database, "2027-02-27T06:00:00Z");
    Api api(database.url(), {{"APP_ENV", "development"}});
    const auto errors = [&](const std::string& query) {
        const auto reply = api.call("GET", preview + query);
        CHECK(reply.status == 400);
        return errors_of(reply);
    };
    CHECK(errors("?from=noon&to=2027-13-01&messageType=x&limit=0&cursor=1") ==
          Members{{"from", "invalid"},
                  {"to", "invalid"},
                  {"messageType", "invalid"},
                  {"limit", "invalid"},
                  {"cursor", "invalid"}});
    CHECK(errors("?from=2027-02-26") == Members{{"from", "in_the_past"}});
    CHECK(errors("?from=2027-02-27T05:58:59Z") == Members{{"from", "in_the_past"}});
    CHECK(api.call("GET", preview + "?from=2027-02-27T05:59:00Z").status == 200);
    CHECK(errors("?from=2027-03-02&to=2027-03-01") == Members{{"to", "too_early"}});
    CHECK(errors("?to=2027-02-27") == Members{{"to", "too_early"}});
    CHECK(errors("?to=2028-02-29") == Members{{"to", "too_far"}});
    CHECK(api.call("GET", preview + "?to=2028-02-28T06:00:00Z").status == 200);
    CHECK(errors("?to=2028-02-28T06:00:01Z") == Members{{"to", "too_far"}});
    CHECK(errors("?from=2029-01-01") == Members{{"from", "too_far"}});
    CHECK(errors("?messageType=NOTHING") == Members{{"messageType", "unknown_message_type"}});
    CHECK(errors("?cursor=2027-02-27T04:00:00Z_2027-03-27T04:00:00Z_2027-02-28T04:00:00Z_p0000_0_BIRTHDAY") ==
          Members{{"cursor", "invalid"}});
    CHECK(
        errors("?cursor=2027-02-27T04:00:00Z_2027-03-27T04:00:00Z_2027-02-28T04:00:00Z_p00:00_0_BIRTHDAY") ==
        Members{{"cursor", "expired"}});
}

TEST_CASE("a third preview at once is asked to come again, and other requests are answered meanwhile") {
    TestDatabase database;
    Api api(database.url(), {{"APP_ENV", "development"}});
    auto blocker = database.connection();
    blocker.execute("BEGIN; LOCK TABLE zones_in_use");
    std::vector<int> statuses(2);
    {
        std::vector<std::jthread> clients;
        for (auto& status : statuses)
            clients.emplace_back([&] {
                support::HttpClient client(api.service().port());
                status =
                    client.request("GET", preview, "", {{"Authorization", "Bearer " + api.key()}}).status;
            });
        auto watcher = database.connection();
        static constexpr postgres::Statement waiting{
            "waiting",
            "SELECT count(*) FROM pg_locks WHERE relation = 'zones_in_use'::regclass AND NOT granted"};
        REQUIRE(support::eventually([&] { return watcher.run(waiting).front().get<int>(0) == 2; }));

        const auto third = api.call("GET", preview);
        CHECK(third.status == 503);
        CHECK(text_at(third, "code") == "busy");
        CHECK(third.header("retry-after") == "1");
        CHECK(api.call("GET", nobody).status == 404);
        blocker.execute("COMMIT");
    }
    CHECK(statuses == std::vector<int>{200, 200});
    CHECK(api.call("GET", preview).status == 200);
}
