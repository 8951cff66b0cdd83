#include <catch2/catch.hpp>

#include "tests/support/sink/provider.hpp"

using sink::Policy;
using sink::Provider;

namespace {

constexpr const char* body = R"({"email":"ada@example.org","message":"Hey"})";

sink::Reply post(Provider& provider, std::string_view key, std::string_view content = body,
                 std::string_view authorization = "") {
    return provider.reply({"POST", "/send-email", key, authorization, content}, domain::Instant{});
}

sink::Reply get(Provider& provider, std::string_view target) {
    return provider.reply({"GET", target, "", "", ""}, domain::Instant{});
}

int put(Provider& provider, std::string_view script) {
    return provider.reply({"PUT", "/script", "", "", script}, domain::Instant{}).status;
}

}  // namespace

TEST_CASE("an idempotent provider delivers a key once and answers it as the first time") {
    Provider provider({});
    CHECK(post(provider, "a").body == R"({"success":true})");
    CHECK(post(provider, "a").body == R"({"success":true})");
    CHECK(post(provider, "b").status == 200);
    const auto summary = provider.ledger.summary();
    CHECK(summary.requests == 3);
    CHECK(summary.delivered == 2);
    CHECK(summary.distinct_keys == 2);
    CHECK(summary.repeats == 1);
}

TEST_CASE("a naive provider delivers a key with every request") {
    Provider provider({.idempotent = false});
    post(provider, "a");
    post(provider, "a");
    CHECK(provider.ledger.summary().delivered == 2);
    CHECK(provider.ledger.summary().repeats == 1);
}

TEST_CASE("a key whose request failed is delivered by the next one") {
    Provider provider({});
    REQUIRE(put(provider, R"({"rules":[{"status":503,"times":1}]})") == 204);
    CHECK(post(provider, "a").status == 503);
    CHECK(post(provider, "a").status == 200);
    CHECK(provider.ledger.summary().delivered == 1);
    CHECK(provider.ledger.summary().repeats == 0);
}

TEST_CASE("a dropped request has delivered and its repeat is answered") {
    Provider provider({});
    REQUIRE(put(provider, R"({"rules":[{"drop":true,"times":1}]})") == 204);
    CHECK(post(provider, "a").drop);
    CHECK(post(provider, "a").status == 200);
    const auto entries = provider.ledger.by_key("a");
    REQUIRE(entries.size() == 2);
    CHECK(entries[0].status == 0);
    CHECK(entries[0].delivered);
    CHECK(entries[1].repeat);
    CHECK_FALSE(entries[1].delivered);
}

TEST_CASE("a 200 without success delivers nothing") {
    Provider provider({});
    REQUIRE(put(provider, R"({"rules":[{"success_false":true}]})") == 204);
    const auto reply = post(provider, "a");
    CHECK(reply.status == 200);
    CHECK(reply.body == R"({"success":false})");
    CHECK(provider.ledger.summary().delivered == 0);
}

TEST_CASE("requests that break the contract are refused and recorded") {
    Provider provider({.token = "secret"});
    CHECK(post(provider, "a", body, "").status == 401);
    CHECK(post(provider, "a", body, "Bearer wrong").status == 401);
    CHECK(post(provider, "", body, "Bearer secret").status == 400);
    for (const char* content :
         {"", "{", "[]", R"({"email":"a@b"})", R"({"email":1,"message":"x"})",
          R"({"email":"","message":"x"})", "{\"email\":\"a@b\",\"message\":\"\xff\"}"}) {
        CHECK(post(provider, "a", content, "Bearer secret").status == 400);
    }
    CHECK(post(provider, "a", body, "Bearer secret").status == 200);
    CHECK(provider.ledger.summary().requests == 11);
    CHECK(provider.ledger.summary().by_status == std::map<int, std::uint64_t>{{200, 1}, {400, 8}, {401, 2}});
}

TEST_CASE("a full ledger takes no further request") {
    Provider provider({.capacity = 1});
    CHECK(post(provider, "a").status == 200);
    CHECK(post(provider, "b").status == 507);
    provider.reply({"DELETE", "/ledger", "", "", ""}, domain::Instant{});
    CHECK(post(provider, "b").status == 200);
}

TEST_CASE("the first rule that applies decides by key e-mail and count") {
    Provider provider({});
    REQUIRE(put(provider, R"({"rules":[{"key":"a","times":2,"status":500},{"email":"ada","status":429},
                                       {"status":503}]})") == 204);
    CHECK(post(provider, "bab").status == 500);
    CHECK(post(provider, "b").status == 429);
    CHECK(post(provider, "a").status == 500);
    CHECK(post(provider, "a").status == 429);
    CHECK(post(provider, "a", R"({"email":"bob@example.org","message":""})").status == 503);
}

TEST_CASE("a body may hold any bytes and be as long as it takes") {
    Provider provider({});
    REQUIRE(put(provider, R"({"rules":[{"body_hex":"00ffC3","repeat":3}]})") == 204);
    using namespace std::string_literals;
    CHECK(post(provider, "a").body == "\x00\xff\xc3\x00\xff\xc3\x00\xff\xc3"s);
    CHECK(put(provider, R"({"rules":[{"body_hex":"0"}]})") == 400);
    CHECK(put(provider, R"({"rules":[{"body_hex":"0g"}]})") == 400);
}

TEST_CASE("a rate applies to its share of the requests and to the same ones each time") {
    const auto failures = [] {
        Provider provider({});
        REQUIRE(put(provider, R"({"seed":7,"rules":[{"rate":0.1,"status":500}]})") == 204);
        std::vector<int> failed;
        for (int i = 0; i < 1000; ++i) {
            if (post(provider, std::to_string(i)).status == 500) failed.push_back(i);
        }
        return failed;
    };
    CHECK(failures() == failures());
    CHECK(failures().size() > 60);
    CHECK(failures().size() < 140);
}

TEST_CASE("what is not a script is refused and changes nothing") {
    Provider provider({});
    REQUIRE(put(provider, R"({"rules":[{"status":418}]})") == 204);
    for (const char* script :
         {"", "[]", R"({"rule":[]})", R"({"rules":{}})", R"({"rules":[1]})", R"({"rules":[{"sttus":500}]})",
          R"({"rules":[{"status":"500"}]})", R"({"rules":[{"times":-1}]})", R"({"outage_ms":"long"})"}) {
        CAPTURE(script);
        CHECK(put(provider, script) == 400);
    }
    CHECK(post(provider, "a").status == 418);
    CHECK(get(provider, "/script").body == R"({"rules":[{"status":418}]})");
}

TEST_CASE("the ledger is read in pages") {
    Provider provider({});
    for (const char* key : {"a", "b", "c"}) post(provider, key);
    CHECK(
        get(provider, "/ledger?after=1&limit=1").body ==
        R"({"entries":[{"sequence":2,"received_at":"1970-01-01T00:00:00Z","key":"b","email":"ada@example.org",)"
        R"("message":"Hey","status":200,"delivered":true,"repeat":false}]})");
    CHECK(get(provider, "/ledger?after=3").body == R"({"entries":[]})");
    CHECK(get(provider, "/ledger?after=99999999999").body == R"({"entries":[]})");
    CHECK(get(provider, "/ledger/by-key/none").body == R"({"entries":[]})");
    CHECK(get(provider, "/ledger/summary").body ==
          R"({"requests":3,"delivered":3,"distinct_keys":3,"repeats":0,"by_status":{"200":3},)"
          R"("first_at":"1970-01-01T00:00:00Z","last_at":"1970-01-01T00:00:00Z"})");
    CHECK(get(provider, "/elsewhere").status == 404);
}

TEST_CASE("the ledger keeps every text as it came") {
    Provider provider({});
    const std::string text(100'000, 'x');
    for (int i = 0; i < 50; ++i) {
        const auto key = "key-" + std::to_string(i);
        post(provider, key, R"({"email":")" + key + R"(@example.org","message":"\u00e9)" + text + "\"}");
    }
    for (const auto& entry : provider.ledger.entries(0, 100)) {
        CHECK(entry.key == "key-" + std::to_string(entry.sequence - 1));
        CHECK(entry.email == entry.key + "@example.org");
        CHECK(entry.message == "é" + text);
    }
}
