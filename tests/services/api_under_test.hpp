// api-svc as its clients and operators meet it: the real program on a real database, and what tests say to
// it.
#pragma once

#include <catch2/catch.hpp>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "libcore/domain/time.hpp"
#include "libcore/json/parser.hpp"
#include "tests/support/http_client.hpp"
#include "tests/support/postgres_fixture.hpp"
#include "tests/support/process.hpp"

namespace tests {

using support::HttpReply;
using support::TestDatabase;
using Members = std::map<std::string, std::string>;  // values are JSON

inline const std::string users = "/api/v1/users";
inline const std::string some_id = "0190a0b0-c0d0-7e00-8f00-000000000001";
inline const std::string nobody = users + "/" + some_id;

inline std::string object(const Members& members) {
    std::string text;
    for (const auto& [name, value] : members) text += (text.empty() ? "{\"" : ",\"") + name + "\":" + value;
    return text.empty() ? "{}" : text + "}";
}

/// A good user; `changes` replace or add members.
inline std::string user_with(Members changes = {}) {
    changes.insert({{"firstName", "\"Ada\""},
                    {"lastName", "\"Lovelace\""},
                    {"email", "\"ada@example.com\""},
                    {"timezone", "\"Europe/London\""}});
    return object(changes);
}

inline std::string text_at(const HttpReply& reply, std::string_view name) {
    const auto body = json::parse(reply.body);
    REQUIRE(body);
    const auto* value = body->find(name);
    REQUIRE(value != nullptr);
    REQUIRE(value->string() != nullptr);
    return *value->string();
}

inline bool null_at(const HttpReply& reply, std::string_view name) {
    const auto body = json::parse(reply.body);
    return body && body->find(name) != nullptr && body->find(name)->is_null();
}

/// Code by field.
inline Members errors_of(const HttpReply& reply) {
    Members codes;
    const auto body = json::parse(reply.body, {.values = 10'000});
    REQUIRE(body);
    for (const auto& error : *body->find("errors")->array()) {
        codes.emplace(*error.find("field")->string(), *error.find("code")->string());
    }
    return codes;
}

/// `api-svc keys …` on the database.
inline support::Finished keys(const std::string& database_url, std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "keys");
    return support::run("api-svc", arguments, {{"DATABASE_URL", database_url}});
}

/// The key that a command has printed.
inline std::string printed_key(const support::Finished& made) {
    const auto begin = made.output.find("tdg_");
    if (made.exit_code != 0 || begin == std::string::npos) throw std::runtime_error(made.output);
    return made.output.substr(begin, made.output.find('\n', begin) - begin);
}

inline std::string prefix_of(const std::string& key) {
    return key.substr(4, key.find('_', 4) - 4);
}

/// Without limits, unless `more` has others.
inline std::string make_key(const std::string& database_url, const std::string& scopes,
                            std::vector<std::string> more = {"--limits", "none"}) {
    more.insert(more.begin(), {"create", "--name", "test", "--scopes", scopes});
    return printed_key(keys(database_url, more));
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
    static constexpr const char* all_scopes =
        "users:read,users:write,messages:read,messages:write,imports,admin";

    static support::Environment with_url(const std::string& url, support::Environment environment) {
        environment.emplace("DATABASE_URL", url);
        environment.emplace("BIND", "127.0.0.1");
        // Tests that wait for a 401 ask often.
        environment.emplace("RATE_LIMIT_MAX_REQUESTS", "1000000");
        return environment;
    }

    std::string key_;
    support::Service service_;
    support::HttpClient client_{service_.port()};
};

}  // namespace tests
