// A whole life under canaries: names, addresses, places, texts and secrets that must be found nowhere but in
// the ledger, at the provider and in the answers to those who may ask (H12).

#include <algorithm>
#include <catch2/catch.hpp>
#include <cctype>
#include <cstdlib>
#include <fstream>
#include <set>
#include <sstream>

#include "tests/support/http_client.hpp"
#include "tests/support/system/system.hpp"
#include "tests/support/tcp_gate.hpp"

namespace {

using namespace std::chrono_literals;
using domain::Status;
using support::Environment;
using support::eventually;
using support::HttpReply;
using support::Service;
using support::System;
using support::TcpGate;

const std::string users = "/api/v1/users";
// Part of every name, address, place and text below.
const std::string canary = "canary";
const std::string malformed = R"({"v": "canary-hint", "email": "canary-hint@example.com"})";

std::string lower_case(std::string text) {
    std::ranges::transform(text, text.begin(), [](unsigned char c) { return std::tolower(c); });
    return text;
}

/// What follows `name=` in a URL's parameters, or stands between the user's colon and the @.
std::string password_in(const std::string& url) {
    constexpr std::string_view parameter = "password=";
    if (const auto at = url.find(parameter); at != std::string::npos)
        return url.substr(at + parameter.size(), url.find('&', at) - at - parameter.size());
    const auto colon = url.find(':', url.find("://") + 3) + 1;
    return url.substr(colon, url.rfind('@') - colon);
}

/// Everything that somebody without a right to personal data may come to see, by where it was seen.
class Watch {
public:
    explicit Watch(std::set<std::string> secrets) : secrets_(std::move(secrets)) { secrets_.insert(canary); }

    void see(const std::string& where, const std::string& text) {
        ++texts_;
        const auto lower = lower_case(text);
        for (const auto& secret : secrets_) {
            const auto at = lower.find(lower_case(secret));
            if (at == std::string::npos) continue;
            const auto from = at - std::min<std::size_t>(at, 200);
            found_ += where + ": …" + text.substr(from, 400) + "…\n";
        }
    }

    void see_operations(const Service& service) {
        for (const auto* page : {"/livez", "/readyz", "/metrics"})
            see(page, support::http_get(service.ops_port(), page).body);
    }

    void see_log(Service& service) { see("log", service.process().log()); }

    const std::string& found() const { return found_; }
    int texts() const { return texts_; }

private:
    std::set<std::string> secrets_;
    std::string found_;
    int texts_ = 0;
};

std::string person(const std::string& name, const std::string& more = {}) {
    return R"({"firstName": "Canary)" + name + R"(", "lastName": "Canarylast", "email": "canary-)" + name +
           R"(@example.com", "timezone": "UTC", "birthdayDate": "1990-03-10", "locationCity": "Canarycity",)" +
           R"("externalId": "canary-ext-)" + name + "\"" + more + "}";
}

class Client {
public:
    Client(const Service& api, std::string key, Watch& watch)
        : http_(api.port()), key_(std::move(key)), watch_(watch) {}

    /// Watches what a refusal says; whoever succeeds may read what they wrote.
    HttpReply call(std::string_view method, const std::string& target, const std::string& body = {}) {
        auto reply =
            http_.request(method, target, body,
                          {{"Authorization", "Bearer " + key_}, {"Content-Type", "application/json"}});
        if (reply.status >= 400)
            watch_.see(std::string(method) + " " + std::to_string(reply.status), reply.body);
        return reply;
    }

    std::string add(const std::string& name, const std::string& more = {}) {
        const auto reply = call("POST", users, person(name, more));
        CAPTURE(reply.body);
        REQUIRE(reply.status == 201);
        return reply.header("location");
    }

private:
    support::HttpClient http_;
    std::string key_;
    Watch& watch_;
};

std::string make_key(const std::string& database_url) {
    const auto made = support::run("api-svc",
                                   {"keys", "create", "--name", "test", "--scopes",
                                    "users:read,users:write,messages:read,messages:write,admin"},
                                   {{"DATABASE_URL", database_url}});
    const auto begin = made.output.find("tdg_");
    REQUIRE(begin != std::string::npos);
    return made.output.substr(begin, made.output.find('\n', begin) - begin);
}

/// Every way there is to be refused, each with personal data at the wrong place.
void be_refused(Client& client, const std::string& location) {
    using namespace std::string_literals;
    const std::string nul = "\\u0000";
    for (const auto& body :
         {person("ada"), person("other", R"(, "email": "CANARY-ADA@example.com")"),
          person("x", R"(, "unknownField": 1)"), person("x", R"(, "anniversaryDate": "canary-date")"),
          person("x", R"(, "timezone": "Canary/Zone")"),
          R"({"firstName": "Canary)" + nul +
              R"(", "lastName": 7, "email": "canary at home", "timezone": 1e999})",
          R"({"email": "canary@example.com")"s, "canary \xff"s, "[\"canary\"]"s,
          R"({"firstName": ")" + std::string(3000, 'x') + R"(canary"})", R"("canary")"s}) {
        CAPTURE(body);
        CHECK(client.call("POST", users, body).status >= 400);
        CHECK(client.call("PATCH", location, body).status >= 400);
    }
    CHECK(client.call("GET", "/api/v1/canary@example.com").status == 404);
    CHECK(client.call("GET", users + "/canary@example.com").status >= 400);
    const std::string messages = "/api/v1/messages";
    const std::string types = "/api/v1/message-types";
    for (const auto& target : {location + "/messages?status=canary&cursor=canary",
                               messages + "?error=canary%00&apiResponseCode=canary",
                               location + "/schedule?cursor=canary&years=canary",
                               location + "/explanation?type=canary&date=canary",
                               "/api/v1/schedule/preview?from=canary&messageType=canary&cursor=canary"s})
        CHECK(client.call("GET", target).status == 400);
    for (const auto* path : {"/replay", "/cancel"}) {
        CHECK(client.call("POST", messages + path, R"({"reason": "canary\ncanary", "error": 7})").status ==
              400);
        CHECK(client.call("POST", messages + path, R"({"token": "canary", "count": "canary"})").status ==
              400);
    }
    CHECK(client.call("POST", types, R"({"name": "canary", "template": "canary {oops}"})").status == 400);
    CHECK(client.call("PATCH", types + "/BIRTHDAY", R"({"sendAt": "canary", "template": 7})").status == 400);
    CHECK(client.call("POST", location + "/occasions", R"({"messageType": "CANARY", "date": "canary"})")
              .status == 400);
    CHECK(client.call("POST", "/api/v1/pause", R"({"reason": "canary\ncanary", "until": "canary"})").status ==
          400);
}

/// A file that grows, and where it ended at first.
class Growing {
public:
    explicit Growing(std::string path) : path_(std::move(path)), from_(whole().size()) {}
    std::string text() const { return whole().substr(from_); }

private:
    std::string whole() const {
        std::ifstream file(path_);
        REQUIRE(file);
        std::stringstream content;
        content << file.rdbuf();
        return content.str();
    }
    std::string path_;
    std::size_t from_;
};

std::string server_log() {
    const char* path = std::getenv("TEST_POSTGRES_LOG");
    if (path == nullptr)
        throw std::runtime_error("TEST_POSTGRES_LOG must be the log file of the test server");
    return path;
}

constexpr auto refusals = R"({"rules": [
    {"email": "canary-refused", "status": 400, "body": "no such box: canary-refused@example.com"},
    {"email": "canary-retried", "times": 1, "status": 503, "body": "busy with Canaryretried Canarylast"},
    {"email": "canary-false", "times": 1, "success_false": true, "body": "{\"success\":false,\"to\":\"canary\"}"},
    {"email": "canary-dropped", "times": 1, "drop": true},
    {"email": "canary-down", "times": 8, "status": 500, "body": "canary-trace"},
    {"delay_ms": 20}]})";

}  // namespace

TEST_CASE(
    "no log line, metric, probe, refusal or queue message tells who somebody is or what a secret is (H12)") {
    const Growing postgres_log(server_log());
    System system;
    TcpGate database("127.0.0.1", system.database.port());
    TcpGate broker("127.0.0.1", system.broker_port());
    const auto key = make_key(system.database.url());
    Watch watch({"rovider-token-7f3a", key.substr(key.find('_', 4) + 1), password_in(system.database.url()),
                 password_in(system.broker.url())});
    const Environment environment{{"LOG_LEVEL", "debug"},
                                  {"DATABASE_URL", support::through(system.database.url(), database.port())},
                                  {"AMQP_URL", system.amqp_url_through(broker.port())},
                                  {"PROVIDER_TOKEN", "provider-token-7f3a"},
                                  {"RATE_LIMIT_MAX_REQUESTS", "10000"},
                                  {"RATE_LIMIT_CREATE", "10000"},
                                  {"RATE_LIMIT_UPDATE", "10000"}};
    system.provider.play(refusals);

    auto api = system.start("api-svc", environment);
    auto scheduler = system.start("scheduler-svc", environment);
    auto killed = system.start("worker-svc", environment);
    Client client(api, key, watch);
    const auto ada = client.add("ada");
    const auto other = client.add("other");
    for (const auto* name : {"refused", "retried", "false", "dropped", "down", "unrenderable"})
        client.add(name);
    for (int n = 0; n < 100; ++n) client.add("many" + std::to_string(n));
    be_refused(client, other);
    CHECK(client.call("PUT", ada, person("ada", R"(, "locationCountry": "Canaryland")")).status == 200);
    for (const auto* name : {"tomorrow", "then", "too"}) {
        const auto location = client.add(name);
        CHECK(client.call("PATCH", location, R"({"birthdayDate": "1990-03-11"})").status == 200);
    }
    const std::string test_send = "/api/v1/message-types/BIRTHDAY/test-send";
    const std::string sample = R"("firstName": "Canarytest", "lastName": "Canarylast"})";
    CHECK(client.call("POST", test_send, R"({"email": "canary-test@example.com", )" + sample).status == 202);
    CHECK(client.call("POST", test_send, R"({"email": "canary at home", )" + sample).status == 400);
    const auto gone = client.add("gone");
    CHECK(client.call("DELETE", gone).status < 300);
    // Only for a long name is the second text longer than the ledger takes.
    system.sql.execute(R"sql(
        INSERT INTO message_types (name, template, created_at) VALUES
            ('PARTY', 'canary-text {full_name}', 'epoch'), ('SHOUT', repeat('canary {full_name}', 80), 'epoch');
        INSERT INTO user_occasions (user_id, message_type, date) SELECT id, 'PARTY', '1990-03-10' FROM users LIMIT 5;
        UPDATE users SET first_name = repeat('canary', 16), last_name = repeat('canary', 16)
        WHERE email = 'canary-unrenderable@example.com';
        INSERT INTO user_occasions (user_id, message_type, date)
        SELECT id, 'SHOUT', '1990-03-10' FROM users WHERE email = 'canary-unrenderable@example.com')sql");
    system.broker.put(system.queue(), malformed);

    system.set_clock("2027-03-10T09:00:00Z");
    REQUIRE(system.delivered(20));
    killed.kill();
    watch.see_log(killed);
    auto worker = system.start("worker-svc", environment);

    database.refuse();
    broker.refuse();
    REQUIRE(eventually([&] { return support::http_get(worker.ops_port(), "/readyz").status == 503; }));
    CHECK(eventually([&] { return client.call("GET", ada).status == 503; }));
    for (const auto* service : {&api, &scheduler, &worker}) watch.see_operations(*service);
    database.forward();
    broker.forward();
    // One that the killed worker had sent is in doubt, and then UNKNOWN where another is FAILED.
    const auto needs_a_person = [&] { return system.count(Status::failed) + system.count(Status::unknown); };
    REQUIRE(eventually([&] { return system.count(Status::sent) >= 105 && needs_a_person() >= 2; }, 60s));

    const std::string replay = "/api/v1/messages/replay";
    const auto shown = client.call("POST", replay, R"({"reason": "canary asked for it", "force": true})");
    const auto token = shown.body.substr(shown.body.find("\"token\":") + 8, 38);
    const auto ready = shown.body.substr(shown.body.find("\"count\":") + 8, 1);
    CHECK(client.call("POST", replay, R"({"token": )" + token + R"(, "count": )" + ready + "}").status ==
          200);
    watch.see_operations(worker);
    CHECK(worker.stop() == 0);
    system.set_clock("2027-03-11T09:00:00Z");
    REQUIRE(eventually([&] { return system.broker.ready(system.queue()).value_or(0) >= 3; }));
    int hints = 0;
    for (const auto& queue : {system.queue(), system.broker.settings().topology.dead()}) {
        while (const auto body = system.broker.take(queue)) {
            if (*body == malformed) continue;
            watch.see(queue, *body);
            ++hints;
        }
    }
    CHECK(hints >= 3);

    for (const auto* service : {&api, &scheduler}) watch.see_operations(*service);
    for (auto* service : {&api, &scheduler, &worker}) {
        if (service != &worker) CHECK(service->stop() == 0);
        watch.see_log(*service);
    }
    watch.see("PostgreSQL's log", postgres_log.text());
    INFO(watch.found());
    CHECK(watch.found().empty());
    CHECK(watch.texts() > 40);
    // The drill was one: each of these left its trace.
    CHECK(worker.process().log().find("a message needs a person") != std::string::npos);
    CHECK(killed.process().log().size() + worker.process().log().size() > 1000);
    CHECK(postgres_log.text().find("duplicate key value") != std::string::npos);
}
