// Keys, as operators make, list, rotate and revoke them and as clients use them.

#include <catch2/catch.hpp>
#include <chrono>
#include <thread>

#include "tests/services/api_under_test.hpp"
#include "tests/support/eventually.hpp"

using namespace std::chrono_literals;
using namespace tests;
using support::eventually;

namespace {

constexpr postgres::Statement audit{"audit",
                                    "SELECT actor, action, subject, detail::text FROM audit_log ORDER BY id"};

/// The line of `keys list` about the key.
std::string listed(const TestDatabase& database, const std::string& key) {
    const auto list = keys(database.url(), {"list"}).output;
    const auto begin = list.find(prefix_of(key));
    return begin == std::string::npos ? "" : list.substr(begin, list.find('\n', begin) - begin);
}

bool has(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("a key opens what its scopes name until it is revoked") {
    TestDatabase database;
    Api api(database.url());
    const auto location = api.add_user();
    const auto reader = make_key(database.url(), "users:read");
    REQUIRE(eventually([&] { return api.call_as(reader, "GET", location).status == 200; }, 5s));
    CHECK(api.call_as(reader, "DELETE", location).status == 403);
    CHECK(eventually([&] { return !listed(database, reader).ends_with("never"); }, 5s));  // its last use

    CHECK(keys(database.url(), {"revoke", "--prefix", prefix_of(reader)}).exit_code == 0);
    CHECK(eventually([&] { return api.call_as(reader, "GET", location).status == 401; }, 5s));
    CHECK(keys(database.url(), {"revoke", "--prefix", prefix_of(reader)}).exit_code == 1);
    CHECK(keys(database.url(), {"rotate", "--prefix", prefix_of(reader)}).exit_code == 1);
    CHECK(keys(database.url(), {"revoke", "--prefix", "nobody"}).exit_code == 1);
}

TEST_CASE("a key that expires opens until then and nothing afterwards") {
    TestDatabase database;
    Api api(database.url());
    const auto location = api.add_user();
    const auto begin = std::chrono::steady_clock::now();
    const auto key = make_key(database.url(), "users:read", {"--expires", "3s", "--limits", "none"});
    CHECK(has(listed(database, key), "expires 20"));
    REQUIRE(eventually([&] { return api.call_as(key, "GET", location).status == 200; }, 2s));
    REQUIRE(eventually([&] { return api.call_as(key, "GET", location).status == 401; }, 8s));
    CHECK(std::chrono::steady_clock::now() - begin > 2900ms);
    CHECK(std::chrono::steady_clock::now() - begin < 8s);
    CHECK(has(listed(database, key), "expired 20"));
}

TEST_CASE("a rotated key works through its grace and its successor takes over without a gap") {
    TestDatabase database;
    Api api(database.url());
    const auto location = api.add_user();
    const auto old_key =
        make_key(database.url(), "users:read", {"--expires", "90d", "--limits", "read=100000"});
    REQUIRE(eventually([&] { return api.call_as(old_key, "GET", location).status == 200; }, 5s));

    const auto before = std::chrono::steady_clock::now();
    const auto new_key =
        printed_key(keys(database.url(), {"rotate", "--prefix", prefix_of(old_key), "--grace", "4s"}));
    const auto status = [&](const std::string& key) { return api.call_as(key, "GET", location).status; };
    // Traffic goes on with the old key and goes over to the new one while both are good.
    bool taken_over = false;
    REQUIRE(eventually(
        [&] {
            if (status(old_key) == 401) return true;
            taken_over = taken_over || status(new_key) == 200;
            return false;
        },
        12s));
    const auto lived = std::chrono::steady_clock::now() - before;
    CHECK(taken_over);
    CHECK(lived > 3900ms);
    CHECK(lived < 9s);
    CHECK(status(new_key) == 200);

    for (const auto* part : {"  test  ", "  users:read  ", "  read=100000  "})
        CHECK(has(listed(database, new_key), part));
    const auto lifetimes =
        database.connection().run({"lifetimes",
                                   "SELECT round(extract(epoch FROM expires_at - created_at) / 86400)::int "
                                   "FROM api_keys WHERE prefix = $1"},
                                  prefix_of(new_key));
    CHECK(lifetimes.front().get<int>(0) == 90);

    const auto last_key =
        printed_key(keys(database.url(), {"rotate", "--prefix", prefix_of(new_key), "--grace", "0"}));
    CHECK(eventually([&] { return status(new_key) == 401 && status(last_key) == 200; }, 5s));
}

TEST_CASE("whoever holds the row of a key keeps nobody from using it") {
    TestDatabase database;
    Api api(database.url());
    const auto location = api.add_user();
    const auto reader = make_key(database.url(), "users:read", {"--limits", "none"});
    REQUIRE(eventually([&] { return api.call_as(reader, "GET", location).status == 200; }, 5s));
    auto holder = database.connection();
    holder.execute("UPDATE api_keys SET last_used_at = '2020-01-01'");
    holder.execute("BEGIN; SELECT * FROM api_keys FOR UPDATE");
    // What is known of the keys becomes too old in five seconds.
    for (const auto begin = std::chrono::steady_clock::now();
         std::chrono::steady_clock::now() - begin < 8s;) {
        REQUIRE(api.call_as(reader, "GET", location).status == 200);
        std::this_thread::sleep_for(50ms);
    }
    CHECK(has(listed(database, reader), "2020-01-01"));
    holder.execute("ROLLBACK");
    CHECK(eventually([&] { return !has(listed(database, reader), "2020-01-01"); }, 5s));
}

TEST_CASE("keys are listed as a table and never with a secret") {
    TestDatabase database;
    const auto all = make_key(database.url(), "users:read,admin");
    const auto named = printed_key(
        keys(database.url(), {"create", "--name", "Büro 7", "--scopes", "imports", "--limits",
                              "create=600,read=10000", "--expires", "2100-01-01T00:00:00+01:00"}));
    const auto list = keys(database.url(), {"list"}).output;
    CAPTURE(list);
    CHECK(list.starts_with("PREFIX        NAME    SCOPES            LIMITS"));
    CHECK(has(listed(database, all), "test    users:read,admin  none "));
    CHECK(has(listed(database, named), "Büro 7  imports           create=600,read=10000  20"));
    CHECK(has(listed(database, named), "expires 2099-12-31T23:00Z  never"));
    for (const auto& key : {all, named}) CHECK_FALSE(has(list, key.substr(key.size() - 64)));
}

TEST_CASE("what is done with keys stands in the audit log and no secret does") {
    TestDatabase database;
    const auto key = make_key(database.url(), "users:read", {"--limits", "none", "--expires", "1h"});
    const auto successor = printed_key(keys(database.url(), {"rotate", "--prefix", prefix_of(key)}));
    REQUIRE(keys(database.url(), {"revoke", "--prefix", prefix_of(key)}).exit_code == 0);
    auto connection = database.connection();
    const auto rows = connection.run(audit);
    REQUIRE(rows.size() == 3);
    const std::vector<std::string> actions{"key created", "key rotated", "key revoked"};
    for (int i = 0; i < 3; ++i) {
        CHECK(rows[i].get<std::string>(0) == "operator (command line)");
        CHECK(rows[i].get<std::string>(1) == actions[static_cast<std::size_t>(i)]);
        CHECK(rows[i].get<std::string>(2) == "api_key " + prefix_of(key));
        const auto detail = rows[i].get<std::string>(3);
        for (const auto& secret : {key, successor})
            CHECK_FALSE(has(detail, secret.substr(secret.size() - 64)));
    }
    CHECK(has(rows[0].get<std::string>(3), "users:read"));
    CHECK(has(rows[1].get<std::string>(3), prefix_of(successor)));
}

TEST_CASE("a wrong argument of a key's command is one sentence and exit code 2") {
    TestDatabase database;
    const auto refused = [&](std::vector<std::string> arguments, const std::string& sentence) {
        const auto ended = keys(database.url(), std::move(arguments));
        CAPTURE(ended.output);
        CHECK(ended.exit_code == 2);
        CHECK(has(ended.output, sentence));
        CHECK_FALSE(has(ended.output, "tdg_"));
    };
    const std::vector<std::string> good{"create", "--name", "x", "--scopes", "users:read"};
    const auto with = [&](const std::string& option, const std::string& value) {
        auto arguments = good;
        arguments.insert(arguments.end(), {option, value});
        return arguments;
    };
    refused({"create", "--name", "x"}, "--scopes is required");
    refused({"create", "--name", "x", "--scopes", "root"},
            "--scopes must be some of users:read,users:write,");
    refused({"create", "--name", "", "--scopes", "admin"}, "--name must be 1 to 100 characters on one line.");
    refused(with("--expires", "yesterday"), "--expires must be a time from now such as 90d");
    refused(with("--limits", "lots"), "--limits must be 'none' or such as");
    refused({"rotate", "--prefix", "x", "--grace", "soon"}, "--grace must be a time such as 24h, 15m or 0.");
    refused({"rotate"}, "--prefix is required");
    CHECK(database.connection().run(audit).empty());
}

TEST_CASE("without a key it starts only in development on loopback") {
    TestDatabase database;
    support::Environment environment{{"DATABASE_URL", database.url()},
                                     {"PORT", std::to_string(support::free_port())},
                                     {"OPS_PORT", std::to_string(support::free_port())}};
    const auto refused = [&] {
        const auto ended = support::run("api-svc", {}, environment);
        return ended.exit_code == 2 && has(ended.output, "keys create");
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

TEST_CASE("the first key closes an open door and revoking the last one does not open it again") {
    TestDatabase database;
    const support::Environment development{
        {"DATABASE_URL", database.url()}, {"APP_ENV", "development"}, {"RATE_LIMIT_MAX_REQUESTS", "1000000"}};
    support::Service service("api-svc", development);
    const auto anonymous = [&] { return support::http_get(service.port(), nobody).status; };
    REQUIRE(anonymous() == 404);
    const auto key = make_key(database.url(), "users:read");
    REQUIRE(eventually([&] { return anonymous() == 401; }, 5s));
    REQUIRE(keys(database.url(), {"revoke", "--prefix", prefix_of(key)}).exit_code == 0);
    support::HttpClient client(service.port());
    const auto with_key = [&] {
        return client.request("GET", nobody, {}, {{"Authorization", "Bearer " + key}});
    };
    REQUIRE(eventually(
        [&] {
            CHECK(anonymous() == 401);
            return with_key().status == 401;
        },
        5s));
    CHECK(anonymous() == 401);
    // Nor does a new start.
    support::Service again("api-svc", development);
    CHECK(support::http_get(again.port(), nobody).status == 401);
}
