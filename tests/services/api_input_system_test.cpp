// What clients may send and where: the rest is refused by name, and the process lives.

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>

#include "services/api/routes.hpp"
#include "tests/services/api_under_test.hpp"

using namespace tests;

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
                         {"{\"firstName\": \"\xFF\"}", "validation_failed"},
                         {"{\"\xFF\": 1}", "malformed_json"},
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
    CHECK(errors_of(api.call("POST", users, "{\"a\": 1, \"lastName\": \"L\xC3\"}")) ==
          Members{{"lastName", "malformed_json"}});
    CHECK(errors_of(api.call("POST", users, "{\"a\": 1, \"a\": 2}")) == Members{{"a", "duplicate_key"}});
    CHECK(api.call("GET", nobody).status == 404);
    CHECK(api.service().process().running());
}

TEST_CASE("no text of a user holds a control character or a line break") {
    TestDatabase database;
    Api api(database.url());
    for (const std::string broken :
         {"a\\r\\nBcc: x@example.com", "a\\n", "\\ra", "a\\tb", "\\u001b[2J", "\\u0085", "a\\u2028b"}) {
        CAPTURE(broken);
        for (const auto* field : {"firstName", "lastName", "locationCity", "locationCountry", "externalId"}) {
            CAPTURE(field);
            CHECK(errors_of(api.call("POST", users, user_with({{field, '"' + broken + '"'}}))) ==
                  Members{{field, "invalid_characters"}});
        }
        CHECK(
            errors_of(api.call("POST", users, user_with({{"email", "\"ada@example.com" + broken + '"'}}))) ==
            Members{{"email", "invalid_email"}});
        CHECK(errors_of(api.call("POST", users, user_with({{"timezone", "\"UTC" + broken + '"'}}))) ==
              Members{{"timezone", "unknown_timezone"}});
    }
    CHECK(api.call("POST", users, user_with()).status == 201);
}

TEST_CASE("a query is refused with every parameter that is wrong, also where none is known") {
    TestDatabase database;
    Api api(database.url());
    const auto location = api.add_user();
    CHECK(errors_of(api.call("GET", location + "?verbose=1&fields=id")) ==
          Members{{"verbose", "unknown_parameter"}, {"fields", "unknown_parameter"}});
    CHECK(errors_of(api.call("DELETE", location + "?force=1")) == Members{{"force", "unknown_parameter"}});
    CHECK(errors_of(api.call("GET", location + "/messages?cursor=a%0d%0ab&status=%FF&limit=1&limit=2")) ==
          Members{{"cursor", "invalid_characters"},
                  {"status", "invalid_characters"},
                  {"limit", "duplicate_parameter"}});
    CHECK(api.call("GET", location + "?").status == 200);
    for (const auto* broken : {"%00", "%0d%0a", "%ff", "%C3"}) {
        CAPTURE(broken);
        const auto reply = api.call("GET", location + broken);
        CHECK(reply.status == 400);
        CHECK(text_at(reply, "code") == "invalid_url");
    }
}

TEST_CASE("a body of another type or size is refused") {
    TestDatabase database;
    Api api(database.url());
    const auto post = [&](const std::string& type, const std::string& body) {
        return api.client().request("POST", users, body,
                                    {{"Authorization", "Bearer " + api.key()}, {"Content-Type", type}});
    };
    CHECK(post("text/plain", user_with()).status == 415);
    for (const auto* other : {"application/jsonp", "application/merge-patch+json",
                              "application/json; charset=latin1", "", "application/json, text/plain"}) {
        CAPTURE(other);
        CHECK(post(other, user_with()).status == 415);
    }
    const support::HttpHeaders twice{{"Authorization", "Bearer " + api.key()},
                                     {"Content-Type", "application/json"},
                                     {"Content-Type", "application/json"}};
    CHECK(api.client().request("POST", users, user_with(), twice).status == 415);
    const support::HttpHeaders packed{{"Authorization", "Bearer " + api.key()},
                                      {"Content-Type", "application/json"},
                                      {"Content-Encoding", "gzip"}};
    CHECK(api.client().request("POST", users, user_with(), packed).status == 415);
    CHECK(post("application/json; charset=utf-8", user_with()).status == 201);
    CHECK(post("application/json", std::string(65 * 1024, ' ')).status == 413);
    CHECK(post("application/json", std::string(2'000'000, ' ')).status == 413);
    CHECK(post("Application/JSON;charset=\"UTF-8\"", user_with({{"email", "\"b@example.com\""}})).status ==
          201);
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

TEST_CASE("a target or a head that is too long is refused") {
    TestDatabase database;
    Api api(database.url());
    CHECK(api.call("GET", nobody + "?x=" + std::string(9000, 'a')).status == 414);
    const auto with_headers = [&](int count, std::size_t size) {
        support::HttpHeaders headers;
        for (int i = 0; i < count; ++i)
            headers.emplace_back("X-" + std::to_string(i), std::string(size, 'a'));
        return api.client().request("GET", nobody, {}, headers).status;
    };
    CHECK(with_headers(50, 100) == 401);
    CHECK(with_headers(101, 1) == 431);
    CHECK(with_headers(2, 9000) == 431);
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

TEST_CASE("the published description lists exactly the routes there are") {
    const auto path = std::filesystem::path(TIDINGS_SOURCE) / "proto/openapi.yaml";
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
    std::set<std::string> patterns;
    for (const auto& route : api::routes()) patterns.emplace(route.pattern);
    CHECK(described.size() == patterns.size());

    TestDatabase database;
    Api api(database.url());
    for (const auto& [pattern, present] : described) {
        auto target_of = pattern;
        if (const auto id = target_of.find("{id}"); id != std::string::npos) {
            target_of.replace(id, 4, "0190a0b0-c0d0-7e00-8f00-000000000001");
        }
        if (const auto name = target_of.find("{name}"); name != std::string::npos) {
            target_of.replace(name, 6, "BIRTHDAY");
        }
        if (const auto date = target_of.find("{date}"); date != std::string::npos) {
            target_of.replace(date, 6, "2020-03-01");
        }
        for (const auto& method : methods) {
            CAPTURE(pattern, method);
            std::string upper = method;
            for (auto& c : upper) c = static_cast<char>(c - 32);
            CHECK((api.call(upper, target_of).status != 405) == (present.count(method) == 1));
        }
    }
}
