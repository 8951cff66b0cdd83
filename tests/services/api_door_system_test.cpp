// Every route, as whoever may not use it meets it. Driven by the table of routes itself, so that none is
// forgotten.

#include <catch2/catch.hpp>
#include <chrono>

#include "services/api/api_key.hpp"
#include "services/api/routes.hpp"
#include "tests/services/api_under_test.hpp"
#include "tests/support/eventually.hpp"

using namespace tests;

namespace {

/// All scopes for which `wanted` holds.
template <class Predicate>
std::string scopes(Predicate wanted) {
    std::string list;
    for (const auto scope : api::known_scopes)
        if (wanted(scope)) list += (list.empty() ? "" : ",") + std::string(scope);
    return list;
}

struct Keys {
    explicit Keys(const std::string& url) {
        const auto any = [](std::string_view) { return true; };
        for (const auto scope : api::known_scopes) {
            with.emplace(scope, make_key(url, std::string(scope)));
            without.emplace(scope,
                            make_key(url, scopes([&](std::string_view other) { return other != scope; })));
        }
        revoked = make_key(url, scopes(any));
        keys(url, {"revoke", "--prefix", prefix_of(revoked)});
        expired = make_key(url, scopes(any), {"--expires", "1s", "--limits", "none"});
        wrong_secret = with.begin()->second;
        wrong_secret.back() = wrong_secret.back() == '0' ? '1' : '0';
        unknown = wrong_secret;
        unknown.replace(4, 12, "000000000000");
    }

    std::map<std::string, std::string, std::less<>> with;
    std::map<std::string, std::string, std::less<>> without;
    std::string revoked;
    std::string expired;
    std::string wrong_secret;
    std::string unknown;
};

/// The pattern with a user's id, and the name of a message type or a date for the other placeholders.
std::string target_of(std::string_view pattern, const std::string& id) {
    std::string target(pattern);
    for (auto begin = target.find('{'); begin != std::string::npos; begin = target.find('{', begin)) {
        const auto size = target.find('}', begin) + 1 - begin;
        const auto placeholder = target.substr(begin, size);
        target.replace(begin, size,
                       placeholder == "{id}"     ? id
                       : placeholder == "{date}" ? "2020-03-01"
                                                 : "BIRTHDAY");
    }
    return target;
}

/// Everything that is stored but for what the use of a key leaves behind.
constexpr postgres::Statement content{"content", R"sql(
    SELECT string_agg(relname || query_to_xml(format(
               $$SELECT (to_jsonb(t) - 'last_used_at')::text AS row FROM %I t ORDER BY 1$$, relname),
               false, false, '')::text, '' ORDER BY relname)
    FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace)sql"};

std::string everything_in(postgres::Connection& connection) {
    return connection.run(content).front().get<std::string>(0);
}

std::string id_of(const std::string& location) {
    return location.substr(location.rfind('/') + 1);
}

}  // namespace

TEST_CASE("every route asks for a key that allows it, and a refused request changes nothing") {
    TestDatabase database;
    const Keys made(database.url());
    Api api(database.url());
    const auto id = id_of(api.add_user({{"birthdayDate", "\"1990-03-01\""}}));
    REQUIRE(support::eventually([&] { return api.call_as(made.expired, "GET", nobody).status == 401; }));
    auto connection = database.connection();
    const auto before = everything_in(connection);
    const auto body = user_with({{"email", "\"eve@example.com\""}});

    for (const auto& route : api::routes()) {
        const auto target = target_of(route.pattern, id);
        REQUIRE(made.with.contains(route.scope));
        const std::string method(route.method);
        CAPTURE(method, target);
        const auto refused = [&](const HttpReply& reply, int status, const char* code) {
            CAPTURE(reply.body);
            CHECK(reply.status == status);
            CHECK(reply.header("content-type") == "application/problem+json");
            CHECK(text_at(reply, "code") == code);
            CHECK((reply.header("www-authenticate") == "Bearer") == (status == 401));
        };
        const support::HttpHeaders json{{"Content-Type", "application/json"}};
        refused(api.client().request(method, target, body, json), 401, "unauthorized");
        for (const auto& key :
             {std::string(), std::string("garbage"), std::string("tdg_"), made.wrong_secret, made.unknown,
              made.with.find(route.scope)->second + "0", made.revoked, made.expired, std::string(5000, 'x')})
            refused(api.call_as(key, method, target, body), 401, "unauthorized");
        const auto& good = made.with.find(route.scope)->second;
        auto basic = json;
        basic.emplace_back("Authorization", "Basic " + good);
        refused(api.client().request(method, target, body, basic), 401, "unauthorized");
        refused(api.call_as(made.without.find(route.scope)->second, method, target, body), 403, "forbidden");
    }
    CHECK(everything_in(connection) == before);
}

TEST_CASE("every route opens to a key with just its scope") {
    TestDatabase database;
    const Keys made(database.url());
    Api api(database.url());
    int number = 0;
    for (const auto& route : api::routes()) {
        const auto email = [&] { return "\"" + std::to_string(++number) + "@example.com\""; };
        const auto target = target_of(route.pattern, id_of(api.add_user({{"email", email()}})));
        CAPTURE(route.method, target);
        const auto reply = api.call_as(made.with.find(route.scope)->second, route.method, target,
                                       route.method == "GET" ? "" : user_with({{"email", email()}}));
        CHECK(reply.status != 401);
        CHECK(reply.status != 403);
        CHECK(reply.status < 500);
    }
}
