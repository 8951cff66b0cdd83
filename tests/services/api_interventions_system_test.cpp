// Replaying and cancelling messages over the API: one, or what was shown before.

#include <catch2/catch.hpp>
#include <deque>
#include <future>

#include "tests/services/api_under_test.hpp"
#include "tests/support/eventually.hpp"

using namespace tests;

namespace {

const std::string messages = "/api/v1/messages";

struct Given {
    TestDatabase database;
    postgres::Connection sql = database.connection();
    Api api;

    explicit Given(const std::string& now = "2027-03-01 10:00+00")
        : api(at(now, database, sql), {{"APP_ENV", "development"}, {"PROVIDER_KEY_LIFE", "12h"}}) {}

    static std::string at(const std::string& now, TestDatabase& database, postgres::Connection& sql) {
        sql.execute("SELECT set_clock('" + now + "', 0)");
        return database.url();
    }

    /// So many messages of this status, planned for nine; the ids are 1, 2, ….
    void add(int count, const std::string& status, const std::string& more = "") {
        sql.execute(
            "ALTER TABLE users DISABLE TRIGGER USER; "
            "INSERT INTO users (id, first_name, last_name, email, timezone, birthday_date) SELECT uuid_v7(), "
            "'Ada', 'Byron', gen_random_uuid() || '@example.com', 'UTC', '1990-03-01' FROM "
            "generate_series(1, " +
            std::to_string(count) +
            "); ALTER TABLE users ENABLE TRIGGER USER; INSERT INTO message_logs (id, user_id, message_type, "
            "delivery_date, plan_version, "
            "type_version, "
            "timezone, scheduled_send_time, status, due_at, attention_at, actual_send_time, created_at, "
            "updated_at) "
            "SELECT ('0190a0b0-c0d0-7e00-8f00-' || lpad((n + (SELECT count(*) FROM message_logs))::text, 12, "
            "'0'))"
            "::uuid, id, 'BIRTHDAY', '2027-03-01', 1, 1, 'UTC', '2027-03-01 09:00+00', '" +
            status + "', CASE WHEN '" + status +
            "' IN ('SCHEDULED', 'RETRYING') THEN app_now() END, CASE WHEN '" + status +
            "' IN ('FAILED', 'MISSED', 'UNKNOWN') THEN app_now() END, CASE WHEN '" + status +
            "' = 'SENT' THEN app_now() END, app_now(), app_now() "
            "FROM (SELECT id, row_number() OVER () AS n FROM users u WHERE NOT EXISTS "
            "(SELECT FROM message_logs m WHERE m.user_id = u.id)) AS new; " +
            more);
    }

    HttpReply post(const std::string& target, const std::string& body) {
        return api.call("POST", messages + target, body);
    }

    int count(const std::string& status) {
        const auto text = "SELECT count(*) FROM message_logs WHERE status = '" + status + "'";
        const postgres::Statement statement{
            kept_.emplace_back("count_" + std::to_string(kept_.size())).c_str(),
            kept_.emplace_back(text).c_str()};
        return sql.run(statement).front().get<int>(0);
    }

    /// By a connection of its own: the status.
    int post_beside(const std::string& target, const std::string& body) {
        support::HttpClient client(api.service().port());
        return client
            .request("POST", messages + target, body,
                     {{"Authorization", "Bearer " + api.key()}, {"Content-Type", "application/json"}})
            .status;
    }

    /// Sessions that wait for a lock.
    int waiting() {
        static constexpr postgres::Statement statement{"waiting",
                                                       "SELECT count(*) FROM pg_locks WHERE NOT granted"};
        return sql.run(statement).front().get<int>(0);
    }

private:
    std::deque<std::string> kept_;
};

std::int64_t number_at(const HttpReply& reply, std::string_view name) {
    CAPTURE(reply.body);
    const auto body = json::parse(reply.body);
    REQUIRE(body);
    REQUIRE(body->find(name) != nullptr);
    REQUIRE(body->find(name)->integer());
    return *body->find(name)->integer();
}

bool flag_at(const HttpReply& reply, std::string_view name) {
    return *json::parse(reply.body)->find(name)->boolean();
}

const std::string why = R"({"reason": "it was us"})";

}  // namespace

TEST_CASE("a failed message is replayed over the API, and everybody can see by whom and why") {
    Given given;
    given.add(1, "FAILED");
    const auto reply = given.post("/" + some_id + "/replay", why);
    CAPTURE(reply.body);
    REQUIRE(reply.status == 200);
    CHECK(text_at(reply, "status") == "SCHEDULED");
    CHECK(text_at(reply, "replayedFor") == "2027-03-01T10:00:00Z");
    CHECK(reply.body.find(R"("event":"replayed")") != std::string::npos);
    CHECK(reply.body.find("It was FAILED before test replayed it") != std::string::npos);
    CHECK(reply.body.find("it was us") != std::string::npos);
    const auto listed = given.api.call("GET", messages +
                                                  "?messageType=BIRTHDAY&from=2027-03-01T00:00:00Z&to="
                                                  "2027-03-02T00:00:00Z");
    CHECK(listed.body.find(R"("replayedFor":"2027-03-01T10:00:00Z")") != std::string::npos);

    const auto again = given.post("/" + some_id + "/replay", why);
    CHECK(again.status == 409);
    CHECK(text_at(again, "code") == "wrong_status");
}

TEST_CASE("a replay that would be late, double or to nobody is refused with its reason") {
    Given given("2027-03-04 10:00+00");
    given.add(1, "SENT");
    const auto code = [&](const std::string& body) {
        const auto reply = given.post("/" + some_id + "/replay", body);
        CHECK(reply.status == 409);
        return text_at(reply, "code");
    };
    CHECK(code(why) == "already_sent");
    given.sql.execute("UPDATE message_logs SET status = 'MISSED', attention_at = app_now()");
    CHECK(code(why) == "past_deadline");
    given.sql.execute(
        "UPDATE message_logs SET status = 'UNKNOWN', in_doubt = true, "
        "lease_until = clock_timestamp() - interval '13 hours'");
    CHECK(code(R"({"reason": "why", "late": true})") == "key_expired");
    given.sql.execute("UPDATE message_logs SET status = 'SENDING', attention_at = NULL");
    CHECK(code(why) == "in_flight");
    given.sql.execute(
        "UPDATE message_logs SET status = 'FAILED', attention_at = app_now(); "
        "UPDATE users SET opted_out = true");
    CHECK(code(why) == "recipient_gone");
    CHECK(given.post("/0190a0b0-c0d0-7e00-8f00-00000000ffff/replay", why).status == 404);
    CHECK(given.post("/0190a0b0-c0d0-7e00-8f00-00000000ffff/cancel", why).status == 404);
    CHECK(errors_of(given.post("/" + some_id + "/replay", R"({"reason": "", "late": 1, "x": 2})")) ==
          Members{{"reason", "required"}, {"late", "wrong_type"}, {"x", "unknown_field"}});
}

TEST_CASE("a waiting message is cancelled over the API and says so") {
    Given given("2027-03-01 08:00+00");
    given.add(1, "SCHEDULED");
    const auto reply = given.post("/" + some_id + "/cancel", R"({"reason": "wrong text"})");
    CAPTURE(reply.body);
    REQUIRE(reply.status == 200);
    CHECK(text_at(reply, "status") == "CANCELLED");
    CHECK(text_at(reply, "errorMessage") == "cancelled by test: wrong text");
    CHECK(reply.body.find(R"("code":"cancelled_by_person")") != std::string::npos);
    CHECK(reply.body.find(R"("event":"cancelled")") != std::string::npos);
    CHECK(given.post("/" + some_id + "/cancel", why).status == 409);
    given.sql.execute("UPDATE message_logs SET status = 'SENDING'");
    const auto in_flight = given.post("/" + some_id + "/cancel", why);
    CHECK(in_flight.status == 409);
    CHECK(text_at(in_flight, "code") == "in_flight");
}

TEST_CASE("many are replayed as they were shown, with the token and the count given back") {
    Given given;
    given.add(7, "MISSED");
    given.add(5, "FAILED", "UPDATE message_logs SET api_response_code = 401 WHERE status = 'FAILED'");
    const auto shown =
        given.post("/replay", R"({"reason": "it was us", "status": "MISSED", "perMinute": 1})");
    CAPTURE(shown.body);
    REQUIRE(shown.status == 200);
    CHECK(number_at(shown, "count") == 7);
    CHECK(number_at(shown, "matching") == 7);
    CHECK(number_at(shown, "oldestSeconds") == 3600);
    CHECK(number_at(shown, "medianSeconds") == 3600);
    CHECK(number_at(shown, "pastDeadline") == 0);
    CHECK(given.count("MISSED") == 7);

    const auto token = text_at(shown, "token");
    const auto run = [&](int count) {
        return given.post("/replay",
                          R"({"token": ")" + token + R"(", "count": )" + std::to_string(count) + "}");
    };
    const auto other = run(8);
    CHECK(other.status == 409);
    CHECK(text_at(other, "code") == "count_differs");
    CHECK(given.count("MISSED") == 7);
    given.sql.execute(
        "UPDATE message_logs SET status = 'MISSED', attention_at = app_now() + interval '1 s' "
        "WHERE id = (SELECT id FROM message_logs WHERE status = 'FAILED' LIMIT 1)");
    const auto done = run(7);
    CAPTURE(done.body);
    REQUIRE(done.status == 200);
    CHECK(number_at(done, "done") == 7);
    CHECK(flag_at(done, "finished"));
    CHECK(text_at(done, "nextDueAt") == "2027-03-01T10:07:00Z");
    CHECK(given.count("SCHEDULED") == 7);
    CHECK(given.count("MISSED") == 1);
    CHECK(number_at(run(7), "done") == 7);
    CHECK(given.count("SCHEDULED") == 7);

    CHECK(number_at(given.post("/replay", R"({"reason": "token", "apiResponseCode": 401})"), "count") == 5);
    CHECK(given.post("/cancel", R"({"token": ")" + token + R"(", "count": 7})").status == 404);
    CHECK(given.api.call("GET", messages + "?apiResponseCode=401&error=x").body.find("\"items\":[]") !=
          std::string::npos);
    CHECK(errors_of(given.api.call("GET", messages + "?apiResponseCode=99&error=")) ==
          Members{{"apiResponseCode", "invalid"}, {"error", "invalid"}});
    CHECK(errors_of(given.post("/replay", R"({"reason": "why", "status": "SENT"})")) ==
          Members{{"status", "invalid"}});
}

TEST_CASE("many are cancelled as they were shown") {
    Given given("2027-03-01 08:00+00");
    given.add(6, "SCHEDULED");
    given.add(2, "SENDING");
    const auto shown = given.post("/cancel", R"({"reason": "wrong text", "messageType": "BIRTHDAY",
        "from": "2027-03-01T00:00:00Z", "to": "2027-03-02T00:00:00Z"})");
    CAPTURE(shown.body);
    REQUIRE(shown.status == 200);
    CHECK(number_at(shown, "count") == 6);
    CHECK(number_at(shown, "newestSeconds") == -3600);
    const auto done = given.post("/cancel", R"({"token": ")" + text_at(shown, "token") + R"(", "count": 6})");
    CHECK(number_at(done, "done") == 6);
    CHECK(given.count("CANCELLED") == 6);
    CHECK(given.count("SENDING") == 2);
    CHECK(errors_of(given.post("/cancel", why)) ==
          Members{{"messageType", "required"}, {"from", "required"}, {"to", "required"}});
}

TEST_CASE("of replays of many two are done at once, and of cancels of many two more") {
    Given given;
    given.add(1, "FAILED");
    postgres::Connection blocker = given.database.connection();
    blocker.execute("BEGIN; LOCK interventions");
    const std::string cancel = R"({"reason": "wrong text", "messageType": "BIRTHDAY",
        "from": "2027-03-01T00:00:00Z", "to": "2027-03-02T00:00:00Z"})";
    const auto waiting = [&](int count) {
        return support::eventually([&] { return given.waiting() == count; });
    };
    std::vector<std::future<int>> statuses;
    const auto begin = [&](const std::string& target, const std::string& body) {
        statuses.push_back(std::async(std::launch::async,
                                      [&given, target, body] { return given.post_beside(target, body); }));
    };
    begin("/replay", why);
    begin("/replay", why);
    CHECK(waiting(2));
    const auto third = given.post("/replay", why);
    CHECK(third.status == 503);
    CHECK(text_at(third, "code") == "busy");
    CHECK(third.header("retry-after") == "1");
    begin("/cancel", cancel);
    begin("/cancel", cancel);
    CHECK(waiting(4));
    CHECK(text_at(given.post("/cancel", cancel), "code") == "busy");
    blocker.execute("COMMIT");
    for (auto& status : statuses) CHECK(status.get() == 200);
    CHECK(given.post("/replay", why).status == 200);
    CHECK(given.post("/cancel", cancel).status == 200);
}
