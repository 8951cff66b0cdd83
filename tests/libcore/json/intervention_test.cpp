#include "libcore/json/intervention.hpp"

#include <catch2/catch.hpp>
#include <map>

#include "libcore/json/parser.hpp"

namespace {

using namespace std::chrono_literals;
using Codes = std::map<std::string, std::string>;
using Kind = json::InterventionKind;

const std::string token = "0190a0b0-c0d0-4e00-8f00-000000000001";

domain::Result<json::InterventionInput> decode(const std::string& text, Kind kind = Kind::replay_many) {
    return json::decode_intervention(json::parse(text).value(), kind);
}

Codes wrong(const std::string& text, Kind kind = Kind::replay_many) {
    const auto input = decode(text, kind);
    Codes by_field;
    if (input) return by_field;
    for (const auto& error : input.errors()) by_field.emplace(error.field, error.code);
    CHECK(by_field.size() == input.errors().size());
    return by_field;
}

}  // namespace

TEST_CASE("a replay of many is asked for with a reason, a filter and options") {
    const auto input = decode(R"({"reason": "outage", "status": "MISSED", "messageType": "BIRTHDAY",
        "from": "2027-03-01T00:00:00Z", "to": "2027-03-02T00:00:00Z", "apiResponseCode": 503,
        "error": "refused", "late": true, "force": true, "perMinute": 30})");
    REQUIRE(input);
    CHECK(input->reason == "outage");
    CHECK(input->filter.status == domain::Status::missed);
    CHECK(input->filter.message_type == "BIRTHDAY");
    CHECK(input->filter.from == std::chrono::sys_days(2027y / 3 / 1));
    CHECK(input->filter.to == std::chrono::sys_days(2027y / 3 / 2));
    CHECK(input->filter.response_code == 503);
    CHECK(input->filter.error == "refused");
    CHECK(input->options.late);
    CHECK(input->options.forced);
    CHECK(input->per_minute == 30);
    CHECK_FALSE(input->token);

    const auto plain = decode(R"({"reason": "outage", "status": null})");
    REQUIRE(plain);
    CHECK_FALSE(plain->filter.status);
    CHECK_FALSE(plain->options.late);
    CHECK_FALSE(plain->options.forced);
    CHECK(plain->per_minute == 600);
}

TEST_CASE("what was shown is done by its token and count alone") {
    const auto input = decode(R"({"token": ")" + token + R"(", "count": 7})");
    REQUIRE(input);
    CHECK(domain::to_string(*input->token) == token);
    CHECK(input->count == 7);
    CHECK(wrong(R"({"token": ")" + token + R"("})") == Codes{{"count", "required"}});
    CHECK(wrong(R"({"count": 7})") == Codes{{"token", "required"}});
    CHECK(
        wrong(R"({"token": "x", "count": -1, "reason": "why", "late": true})") ==
        Codes{{"token", "invalid"}, {"count", "out_of_range"}, {"reason", "conflict"}, {"late", "conflict"}});
}

TEST_CASE("each wrong field of a replay or a cancel is named once") {
    CHECK(wrong("[]") == Codes{{"", "wrong_type"}, {"reason", "required"}});
    CHECK(wrong(R"({"reason": 7, "status": "LOST", "messageType": "x", "from": "noon", "to": 8,
                    "apiResponseCode": 99, "error": "", "late": "yes", "force": 1, "perMinute": 0, "dryRun": 1})") ==
          Codes{{"reason", "wrong_type"},
                {"status", "invalid"},
                {"messageType", "invalid"},
                {"from", "invalid"},
                {"to", "wrong_type"},
                {"apiResponseCode", "out_of_range"},
                {"error", "invalid"},
                {"late", "wrong_type"},
                {"force", "wrong_type"},
                {"perMinute", "out_of_range"},
                {"dryRun", "unknown_field"}});
    CHECK(wrong(R"({"reason": "a\nb"})", Kind::replay_one) == Codes{{"reason", "invalid_characters"}});
    CHECK(wrong(R"({"reason": "why", "status": "MISSED"})", Kind::replay_one) ==
          Codes{{"status", "unknown_field"}});
    CHECK(wrong(R"({"reason": "why", "late": true})", Kind::cancel_one) == Codes{{"late", "unknown_field"}});
    CHECK(wrong(R"({"reason": "why", "force": true, "perMinute": 5})", Kind::cancel_many) ==
          Codes{{"force", "unknown_field"}, {"perMinute", "unknown_field"}});
}

TEST_CASE("what is shown and how far it has come are told") {
    domain::Shown shown{.id = *domain::parse_uuid(token), .matching = 5, .ready = 3, .past_deadline = 2};
    const auto empty = json::encode(shown);
    CHECK(empty.find(R"("count":3,"matching":5,"more":false)") != std::string::npos);
    CHECK(empty.find(R"("oldestSeconds":null)") != std::string::npos);
    shown.turn_too_late = 1;
    shown.cancelled = 4;
    const auto counted = json::encode(shown);
    CHECK(counted.find(R"("pastDeadline":2,"turnTooLate":1,"keyExpired":0,"gone":0,"cancelled":4)") !=
          std::string::npos);
    shown.ages = domain::Ages{.oldest = 90s, .median = 1500ms, .newest = -1ms};
    CHECK(json::encode(shown).find(R"("oldestSeconds":90,"medianSeconds":1,"newestSeconds":-1)") !=
          std::string::npos);
    CHECK(json::encode(shown.id, domain::Progress{.shown = 3, .done = 2}) ==
          R"({"token":")" + token + R"(","count":3,"done":2,"finished":false,"nextDueAt":null})");
}
