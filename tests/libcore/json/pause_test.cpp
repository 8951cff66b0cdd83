#include "libcore/json/pause.hpp"

#include <catch2/catch.hpp>
#include <map>

#include "libcore/json/parser.hpp"

namespace {

using namespace std::chrono_literals;
using Codes = std::map<std::string, std::string>;

const domain::Instant noon = std::chrono::sys_days(2027y / 3 / 1) + 12h;

json::Value parsed(const std::string& text) {
    return json::parse(text).value();
}

Codes codes(const domain::Errors& errors) {
    Codes by_field;
    for (const auto& error : errors) by_field.emplace(error.field, error.code);
    CHECK(by_field.size() == errors.size());
    return by_field;
}

}  // namespace

TEST_CASE("a pause is asked for with a reason and perhaps an end") {
    const auto until = json::decode_pause(parsed(R"({"reason": "why", "until": "2027-03-01T12:00:00Z"})"));
    REQUIRE(until);
    CHECK(until->reason == "why");
    CHECK(until->until == noon);
    CHECK_FALSE(json::decode_pause(parsed(R"({"reason": "why", "until": null})"))->until);
    CHECK_FALSE(json::decode_pause(parsed(R"({"reason": "why"})"))->until);
}

TEST_CASE("each wrong field of a pause is named once") {
    const auto wrong = [](const char* text) { return codes(json::decode_pause(parsed(text)).errors()); };
    CHECK(wrong("{}") == Codes{{"reason", "required"}});
    CHECK(wrong("[]") == Codes{{"", "wrong_type"}, {"reason", "required"}});
    CHECK(wrong(R"({"reason": 7, "until": 8, "for": "1h"})") ==
          Codes{{"reason", "wrong_type"}, {"until", "wrong_type"}, {"for", "unknown_field"}});
    CHECK(wrong(R"({"reason": "", "until": "noon"})") ==
          Codes{{"reason", "required"}, {"until", "impossible_instant"}});
}

TEST_CASE("resuming takes a reason or none") {
    CHECK(json::decode_resume(parsed(R"({"reason": "mended"})")).value() == "mended");
    CHECK_FALSE(json::decode_resume(parsed("{}")).value());
    CHECK(codes(json::decode_resume(parsed(R"({"until": "x"})")).errors()) ==
          Codes{{"until", "unknown_field"}});
}

TEST_CASE("the state of a pause is told with what waits") {
    CHECK(json::encode(std::nullopt) == R"({"paused":false})");
    CHECK(json::encode(std::nullopt, json::Waiting{}) ==
          R"({"paused":false,"messagesDue":0,"oldestDueSeconds":0})");
    const domain::Pause pause{.reason = "why", .by = "ops", .since = noon, .until = {}};
    CHECK(json::encode(pause, json::Waiting{3, 90s}) ==
          R"({"paused":true,"reason":"why","by":"ops","since":"2027-03-01T12:00:00Z","until":null,)"
          R"("messagesDue":3,"oldestDueSeconds":90})");
}
