#include "libcore/json/message_type.hpp"

#include <catch2/catch.hpp>

#include "libcore/json/parser.hpp"

namespace {

using namespace std::chrono_literals;

json::MessageTypeInput added(std::string_view text) {
    return json::decode_new_type(json::parse(text).value());
}

domain::MessageTypeFields party() {
    return {.text = "Party!",
            .late_text = "Late party!",
            .send_at = {8h + 30min},
            .gap_rule = "skip",
            .fold_rule = "second",
            .leap_day = "mar1",
            .catch_up = 3h,
            .max_lateness = 36h,
            .spread = 15min,
            .paused_until = domain::parse_instant("2027-03-01T12:00:00Z")};
}

const char* const whole =
    R"({"name":"PARTY","template":"Party!","lateTemplate":"Late party!","sendAt":"08:30","gapRule":"skip",)"
    R"("foldRule":"second","leapDay":"mar1","catchUp":"3h","maxLateness":"36h","spread":"15m",)"
    R"("pausedUntil":"2027-03-01T12:00:00Z")";

}  // namespace

TEST_CASE("every field of a new message type is read and written back") {
    const auto input = added(std::string(whole) + "}");
    CHECK(input.errors.empty());
    CHECK(input.name == "PARTY");
    CHECK(input.fields == party());
    const domain::MessageType type{.name = "PARTY",
                                   .fields = party(),
                                   .replanned = false,
                                   .created_at = domain::Instant(0s),
                                   .updated_at = domain::Instant(1s)};
    CHECK(json::encode(type) ==
          std::string(whole) +
              R"(,"replanned":false,"createdAt":"1970-01-01T00:00:00Z","updatedAt":"1970-01-01T00:00:01Z"})");
}

TEST_CASE("what a new message type does not say has its default, as has null") {
    CHECK(added(R"({"name": "PARTY", "template": "Party!"})").fields == domain::MessageTypeFields{"Party!"});
    const auto nulls = added(R"({"name": "PARTY", "template": "Party!", "lateTemplate": null, "sendAt": null,
        "gapRule": null, "foldRule": null, "leapDay": null, "catchUp": null, "maxLateness": null,
        "spread": null, "pausedUntil": null})");
    CHECK(nulls.errors.empty());
    CHECK(nulls.fields == domain::MessageTypeFields{"Party!"});
}

TEST_CASE("a change of a message type keeps what it does not mention and null brings the default back") {
    const auto input = json::decode_type_change(
        json::parse(R"({"sendAt": "10:00:01", "spread": null, "lateTemplate": null, "pausedUntil": null})")
            .value(),
        party());
    CHECK(input.errors.empty());
    auto expected = party();
    expected.send_at = {10h + 1s};
    expected.spread = 0s;
    expected.late_text.reset();
    expected.paused_until.reset();
    CHECK(input.fields == expected);
}

TEST_CASE("every member of a message type that cannot be understood is named") {
    const auto input = added(R"({"name": "party", "template": 1, "lateTemplate": [], "sendAt": "9:00",
        "gapRule": true, "catchUp": 48, "maxLateness": "2 days", "pausedUntil": "tomorrow", "createdAt": "x"})");
    std::vector<std::string> found;
    for (const auto& error : input.errors) found.push_back(error.code + " " + error.field);
    CHECK(found == std::vector<std::string>{
                       "wrong_type template", "wrong_type lateTemplate", "impossible_time sendAt",
                       "wrong_type gapRule", "wrong_type catchUp", "impossible_duration maxLateness",
                       "impossible_instant pausedUntil", "unknown_field createdAt", "invalid_name name"});
    CHECK(added("{}").errors == domain::Errors{{"required", "name", "is required"}});
    CHECK(added(R"({"name": 7})").errors == domain::Errors{{"wrong_type", "name", "must be a string"}});
    CHECK(added("[]").errors.front().code == "wrong_type");
}

TEST_CASE("a message type keeps its name") {
    const auto input = json::decode_type_change(json::parse(R"({"name": "PARTY"})").value(), party());
    REQUIRE(input.errors.size() == 1);
    CHECK(input.errors.front().code == "immutable");
}
