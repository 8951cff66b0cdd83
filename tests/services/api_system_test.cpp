// api-svc as its clients and operators meet it: the real program on a real database.

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>

#include "libcore/domain/time.hpp"
#include "libcore/json/parser.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/http_client.hpp"
#include "tests/support/postgres_fixture.hpp"
#include "tests/support/process.hpp"
#include "tests/support/tcp_gate.hpp"

namespace {

using support::HttpReply;
using support::TestDatabase;
using Members = std::map<std::string, std::string>;  // values are JSON

const std::string users = "/api/v1/users";
const std::string nobody = users + "/0190a0b0-c0d0-7e00-8f00-000000000001";
const std::string all_scopes = "users:read,users:write,messages:read,messages:write,imports,admin";

std::string object(const Members& members) {
    std::string text;
    for (const auto& [name, value] : members) text += (text.empty() ? "{\"" : ",\"") + name + "\":" + value;
    return text.empty() ? "{}" : text + "}";
}

/// A good user; `changes` replace or add members.
std::string user_with(Members changes = {}) {
    changes.insert({{"firstName", "\"Ada\""},
                    {"lastName", "\"Lovelace\""},
                    {"email", "\"ada@example.com\""},
                    {"timezone", "\"Europe/London\""}});
    return object(changes);
}

std::string text_at(const HttpReply& reply, std::string_view name) {
    const auto body = json::parse(reply.body);
    REQUIRE(body);
    const auto* value = body->find(name);
    REQUIRE(value != nullptr);
    REQUIRE(value->string() != nullptr);
    return *value->string();
}

bool null_at(const HttpReply& reply, std::string_view name) {
    const auto body = json::parse(reply.body);
    return body && body->find(name) != nullptr && body->find(name)->is_null();
}

/// Code by field.
Members errors_of(const HttpReply& reply) {
    Members codes;
    const auto body = json::parse(reply.body, {.values = 10'000});
    REQUIRE(body);
    for (const auto& error : *body->find("errors")->array()) {
        codes.emplace(*error.find("field")->string(), *error.find("code")->string());
    }
    return codes;
}

std::string make_key(const std::string& database_url, const std::string& scopes) {
    const auto made = support::run("api-svc", {"keys", "create", "--name", "test", "--scopes", scopes},
                                   {{"DATABASE_URL", database_url}});
    const auto begin = made.output.find("tdg_");
    if (made.exit_code != 0 || begin == std::string::npos) throw std::runtime_error(made.output);
    return made.output.substr(begin, made.output.find('\n', begin) - begin);
}

/// A running api-svc with a key that may do everything, and a client that uses it.
class Api {
public:
    explicit Api(const std::string& database_url, support::Environment more = {})
        : key_(make_key(database_url, all_scopes)),
          service_("api-svc", with_url(database_url, std::move(more))) {}

    HttpReply call(std::string_view method, const std::string& target, std::string_view body = {}) {
        return call_as(key_, method, target, body);
    }

    HttpReply call_as(const std::string& key, std::string_view method, const std::string& target,
                      std::string_view body = {}) {
        support::HttpHeaders headers{{"Authorization", "Bearer " + key}};
        if (!body.empty()) headers.emplace_back("Content-Type", "application/json");
        return client_.request(method, target, body, headers);
    }

    std::string add_user(const Members& changes = {}) {
        const auto reply = call("POST", users, user_with(changes));
        CAPTURE(reply.body);
        REQUIRE(reply.status == 201);
        return reply.header("location");
    }

    const std::string& key() const { return key_; }
    support::Service& service() { return service_; }
    support::HttpClient& client() { return client_; }

private:
    static support::Environment with_url(const std::string& url, support::Environment environment) {
        environment.emplace("DATABASE_URL", url);
        environment.emplace("BIND", "127.0.0.1");
        return environment;
    }

    std::string key_;
    support::Service service_;
    support::HttpClient client_{service_.port()};
};

}  // namespace

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

TEST_CASE("a body that is not JSON or not fit for the database is refused and the process lives") {
    using namespace std::string_literals;
    TestDatabase database;
    Api api(database.url());
    const Members bodies{{"[0.00000000001e-2147483639]", "validation_failed"},
                         {"[128.74836467836484838364836483643636483648e-336]", "validation_failed"},
                         {std::string(60'000, '['), "limit_exceeded"},
                         {"{\"firstName\": 0.00000000001e-2147483639}", "validation_failed"},
                         {"{", "malformed_json"},
                         {"{} {}", "malformed_json"},
                         {"{}\0{}"s, "malformed_json"},
                         {"\xEF\xBB\xBF{}", "malformed_json"},
                         {"{\"firstName\": \"\xFF\"}", "malformed_json"},
                         {"{\"firstName\": \"\\udc00\"}", "validation_failed"},
                         {"{\"firstName\": \"a\\u0000b\"}", "validation_failed"},
                         {"{\"firstName\": \"a\", \"firstName\": \"b\"}", "validation_failed"},
                         {"[]", "validation_failed"},
                         {"null", "validation_failed"}};
    for (const auto& [body, code] : bodies) {
        CAPTURE(body.substr(0, 80));
        const auto reply = api.call("POST", users, body);
        CHECK(reply.status == 400);
        CHECK(text_at(reply, "code") == code);
    }
    CHECK(errors_of(api.call("POST", users, "{\"firstName\": \"a\\u0000b\"}")) ==
          Members{{"firstName", "nul_character"}});
    CHECK(errors_of(api.call("POST", users, "{\"a\": 1, \"a\": 2}")) == Members{{"a", "duplicate_key"}});
    CHECK(api.call("GET", nobody).status == 404);
    CHECK(api.service().process().running());
}

TEST_CASE("a body of another type or size is refused") {
    TestDatabase database;
    Api api(database.url());
    const auto post = [&](const std::string& type, const std::string& body) {
        return api.client().request("POST", users, body,
                                    {{"Authorization", "Bearer " + api.key()}, {"Content-Type", type}});
    };
    CHECK(post("text/plain", user_with()).status == 415);
    CHECK(post("application/jsonp", user_with()).status == 415);
    CHECK(post("application/json; charset=utf-8", user_with()).status == 201);
    CHECK(post("application/json", std::string(65 * 1024, ' ')).status == 413);
    CHECK(post("application/json", std::string(2'000'000, ' ')).status == 413);
    CHECK(post("application/json", user_with({{"email", "\"b@example.com\""}})).status == 201);
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

TEST_CASE("a target that leads nowhere is 404, 405 or 400") {
    TestDatabase database;
    Api api(database.url());
    for (const auto* target :
         {"/", "/api/v1", "/api/v1/users/", "/api/v1/users/7", "/api/v1/users/%2e%2e",
          "/api/v1/users/0190a0b0-c0d0-7e00-8f00-000000000001/", "/metrics",
          "/api/v1/users/0190a0b0-c0d0-7e00-8f00-000000000001/messages/x", "//api/v1/users"}) {
        CAPTURE(target);
        CHECK(api.call("GET", target).status == 404);
    }
    CHECK(api.call("GET", "/api/v1/users/%zz").status == 400);
    CHECK(api.call("GET", "/api/v1/users/%4").status == 400);

    const auto location = api.add_user();
    auto escaped = location;
    escaped.replace(escaped.find("users"), 5, "%75sers");
    CHECK(api.call("GET", escaped).status == 200);
    CHECK(api.call("HEAD", location).status == 200);

    const auto wrong = api.call("PUT", users, user_with());
    CHECK(wrong.status == 405);
    CHECK(wrong.header("allow") == "POST");
    CHECK(text_at(wrong, "code") == "method_not_allowed");
}

TEST_CASE("the published description lists exactly the routes there are") {
    const auto path = std::filesystem::path(__FILE__).parent_path() / "../../proto/openapi.yaml";
    std::ifstream file(path);
    REQUIRE(file);
    const std::set<std::string> methods{"get", "put", "patch", "post", "delete"};
    std::map<std::string, std::set<std::string>> described;
    std::string target;
    for (std::string line; std::getline(file, line) && line != "components:";) {
        if (line.starts_with("  /")) target = line.substr(2, line.size() - 3);
        if (line.starts_with("    ") && methods.count(line.substr(4, line.size() - 5)) != 0) {
            described[target].insert(line.substr(4, line.size() - 5));
        }
    }
    CHECK(described.size() == 5);

    TestDatabase database;
    Api api(database.url());
    for (const auto& [pattern, present] : described) {
        auto target_of = pattern;
        if (const auto id = target_of.find("{id}"); id != std::string::npos) {
            target_of.replace(id, 4, "0190a0b0-c0d0-7e00-8f00-000000000001");
        }
        for (const auto& method : methods) {
            CAPTURE(pattern, method);
            std::string upper = method;
            for (auto& c : upper) c = static_cast<char>(c - 32);
            CHECK((api.call(upper, target_of).status != 405) == (present.count(method) == 1));
        }
    }
}

TEST_CASE("a sane request id is kept and any other is replaced") {
    TestDatabase database;
    Api api(database.url());
    const auto id_for = [&](const std::string& given) {
        return api.client().request("GET", nobody, {}, {{"X-Request-Id", given}}).header("x-request-id");
    };
    CHECK(id_for("r-1.a_B") == "r-1.a_B");
    CHECK(id_for("a b").size() == 36);
    CHECK(id_for("\"><script>").size() == 36);
    CHECK(id_for(std::string(65, 'x')).size() == 36);
    CHECK(id_for("") != id_for(""));
}

TEST_CASE("a key opens what its scopes name until it is revoked") {
    TestDatabase database;
    Api api(database.url());
    const auto location = api.add_user();
    const auto anonymous = api.client().request("GET", location);
    CHECK(anonymous.status == 401);
    CHECK(anonymous.header("www-authenticate") == "Bearer");
    CHECK(text_at(anonymous, "code") == "unauthorized");

    auto forged = api.key();
    forged.back() = forged.back() == '0' ? '1' : '0';
    for (const auto& key :
         {forged, std::string("tdg_"), std::string(), api.key() + "0", std::string(5000, 'x')}) {
        CAPTURE(key);
        CHECK(api.call_as(key, "GET", location).status == 401);
    }
    CHECK(api.client().request("GET", location, {}, {{"Authorization", "Basic " + api.key()}}).status == 401);

    const auto reader = make_key(database.url(), "users:read");
    REQUIRE(support::eventually([&] { return api.call_as(reader, "GET", location).status == 200; },
                                std::chrono::seconds(5)));
    CHECK(api.call_as(reader, "POST", users, user_with()).status == 403);
    CHECK(api.call_as(reader, "DELETE", location).status == 403);
    const auto forbidden = api.call_as(reader, "GET", location + "/messages");
    CHECK(forbidden.status == 403);
    CHECK(text_at(forbidden, "code") == "forbidden");

    const auto prefix = reader.substr(4, reader.find('_', 4) - 4);
    const support::Environment environment{{"DATABASE_URL", database.url()}};
    CHECK(support::run("api-svc", {"keys", "revoke", "--prefix", prefix}, environment).exit_code == 0);
    CHECK(support::eventually([&] { return api.call_as(reader, "GET", location).status == 401; },
                              std::chrono::seconds(5)));
    CHECK(support::run("api-svc", {"keys", "revoke", "--prefix", prefix}, environment).exit_code == 1);
    const auto listed = support::run("api-svc", {"keys", "list"}, environment).output;
    CHECK(listed.find(prefix) != std::string::npos);
    CHECK(listed.find("revoked") != std::string::npos);
    CHECK(listed.find(reader.substr(reader.size() - 64)) == std::string::npos);
    CHECK(support::run("api-svc", {"keys", "create", "--name", "x", "--scopes", "root"}, environment)
              .exit_code == 2);
}

TEST_CASE("without a key it starts only in development on loopback") {
    TestDatabase database;
    support::Environment environment{{"DATABASE_URL", database.url()},
                                     {"PORT", std::to_string(support::free_port())},
                                     {"OPS_PORT", std::to_string(support::free_port())}};
    const auto refused = [&] {
        const auto ended = support::run("api-svc", {}, environment);
        return ended.exit_code == 2 && ended.output.find("keys create") != std::string::npos;
    };
    CHECK(refused());
    environment["BIND"] = "127.0.0.1";
    CHECK(refused());
    environment["APP_ENV"] = "development";
    environment["BIND"] = "0.0.0.0";
    CHECK(refused());
    environment.erase("BIND");
    support::Service service("api-svc", environment);
    CHECK(support::http_get(service.port(), nobody).status == 404);
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

TEST_CASE("a user's messages come newest first in pages and by status") {
    TestDatabase database;
    Api api(database.url());
    const auto location = api.add_user();
    const auto id = location.substr(location.rfind('/') + 1);
    database.connection().execute(
        "INSERT INTO message_logs (id, user_id, message_type, delivery_date, plan_version, timezone, "
        "scheduled_send_time, status, message_content, actual_send_time, api_response_code, created_at, "
        "updated_at) "
        "SELECT uuid_v7(), '" +
        id +
        "', 'BIRTHDAY', day, 1, 'UTC', day + time '09:00' AT TIME ZONE 'UTC', "
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

TEST_CASE("without its database it answers 503 and recovers by itself") {
    TestDatabase database;
    support::TcpGate gate("127.0.0.1", database.port());
    Api api(support::through(database.url(), gate.port()));
    const auto location = api.add_user();
    gate.refuse();
    const auto away = api.call("GET", location);
    CHECK(away.status == 503);
    CHECK(away.header("retry-after") == "1");
    CHECK(text_at(away, "code") == "unavailable");
    CHECK(away.body.find("127.0.0.1") == std::string::npos);
    CHECK(api.call("POST", users, user_with({{"email", "\"b@example.com\""}})).status == 503);
    CHECK(support::eventually(
        [&] { return support::http_get(api.service().ops_port(), "/readyz").status == 503; }));
    gate.forward();
    CHECK(support::eventually([&] { return api.call("GET", location).status == 200; }));
    CHECK(support::eventually(
        [&] { return support::http_get(api.service().ops_port(), "/readyz").status == 200; }));
}

TEST_CASE("what it does can be read from its metrics and its log holds no personal data") {
    TestDatabase database;
    Api api(database.url(), {{"LOG_LEVEL", "debug"}});
    const auto location = api.add_user();
    api.call("GET", location);
    api.call("GET", "/nowhere");
    const auto metrics = support::http_get(api.service().ops_port(), "/metrics").body;
    for (const auto* line :
         {"http_requests_total{method=\"POST\",route=\"/api/v1/users\",status=\"201\"} 1",
          "http_requests_total{method=\"GET\",route=\"/api/v1/users/{id}\",status=\"200\"} 1",
          "http_requests_total{method=\"any\",route=\"none\",status=\"404\"} 1",
          "http_request_duration_seconds_count{route=\"/api/v1/users\"} 1", "http_requests_in_flight 0",
          "db_pool_size{state=\"total\"}", "db_pool_size{state=\"waiting\"} 0",
          "database_query_duration_seconds_count{outcome=\"done\",statement=\"user_insert\"} 1"}) {
        CAPTURE(line, metrics);
        CHECK(metrics.find(line) != std::string::npos);
    }
    const auto log = api.service().process().log();
    CHECK(log.find("Lovelace") == std::string::npos);
    CHECK(log.find("ada@example.com") == std::string::npos);
    CHECK(log.find(api.key()) == std::string::npos);
}

TEST_CASE("on SIGTERM it stops with 0") {
    TestDatabase database;
    Api api(database.url());
    api.add_user();
    CHECK(api.service().stop() == 0);
    CHECK(api.service().process().log().find("stopped") != std::string::npos);
}

TEST_CASE("the shipped command migrates an empty database and a second run changes nothing") {
    TestDatabase database(TestDatabase::Content::nothing);
    const support::Environment environment{{"DATABASE_URL", database.url()}};
    CHECK(support::run("api-svc", {"migrate", "--status"}, environment).output.find("pending") !=
          std::string::npos);
    const auto first = support::run("api-svc", {"migrate"}, environment);
    CAPTURE(first.output);
    CHECK(first.exit_code == 0);
    CHECK(first.output.find("applied") != std::string::npos);
    const auto second = support::run("api-svc", {"migrate"}, environment);
    CHECK(second.exit_code == 0);
    CHECK(second.output.find("applied") == std::string::npos);
    CHECK(support::run("api-svc", {"migrate", "--status"}, environment).output.find("pending") ==
          std::string::npos);

    Api api(database.url());
    api.add_user();
}

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
        {"audit", "SELECT string_agg(actor || ' ' || action, ', ' ORDER BY id) FROM audit_log"});
    CHECK(rows.front().get<std::string>(0) == "test deliveries paused, test deliveries resumed");
}
