#include "libcore/json/parser.hpp"

#include <catch2/catch.hpp>
#include <string>

namespace {

std::string error_code(std::string_view text, const json::Limits& limits = {}) {
    const auto result = json::parse(text, limits);
    if (result) return "";
    CHECK(result.errors().size() == 1);
    return result.errors().front().code;
}

std::string error_field(std::string_view text) {
    const auto result = json::parse(text);
    return result ? "" : result.errors().front().field;
}

}  // namespace

TEST_CASE("a document becomes a tree that keeps members in order") {
    const auto result =
        json::parse(R"({"b": [1, -2.5e3, true, null], "a": {"text": "gr\u00fc\u00df \ud83c\udf82"}})");
    REQUIRE(result);
    const auto& members = *result->object();
    REQUIRE(members.size() == 2);
    CHECK(members[0].key == "b");
    const auto& elements = *members[0].value.array();
    CHECK(elements[0].integer() == 1);
    CHECK(elements[1].real() == -2500.0);
    CHECK(*elements[2].boolean());
    CHECK(elements[3].is_null());
    CHECK(*result->find("a")->find("text")->string() == "grüß 🎂");
    CHECK(result->find("c") == nullptr);
}

TEST_CASE("a number is exactly what was written or nothing") {
    const auto value = [](const char* text) { return json::parse(text).value(); };
    CHECK(value("9223372036854775807").integer() == INT64_MAX);
    CHECK(value("-9223372036854775808").integer() == INT64_MIN);
    CHECK_FALSE(value("9223372036854775808").integer());
    CHECK_FALSE(value("1.0").integer());
    CHECK_FALSE(value("1e2").integer());
    CHECK(value("1e2").real() == 100.0);
    CHECK_FALSE(value("\"1\"").integer());
    CHECK_FALSE(value("true").real());
}

TEST_CASE("the numbers that crash RapidJSON are read as text") {
    CHECK(json::parse("[0.00000000001e-2147483639]"));
    CHECK(json::parse("[128.74836467836484838364836483643636483648e-336]"));
    CHECK_FALSE(json::parse("[0.00000000001e-2147483639]")->array()->front().integer());
}

TEST_CASE("huge numbers neither crash nor wrap") {
    CHECK(error_code("1e400") == "malformed_json");
    CHECK(error_code("1e99999999999999999999") == "malformed_json");
    CHECK(error_code("-1e-99999999999999999999").empty());
    CHECK(error_code(std::string(60'000, '9')) == "malformed_json");
    CHECK(error_code("0." + std::string(60'000, '0') + "1").empty());
}

TEST_CASE("a million opening brackets are refused and not followed") {
    const std::string brackets(1'000'000, '[');
    CHECK(error_code(brackets) == "limit_exceeded");
    CHECK(error_code(brackets, {.bytes = 2'000'000, .depth = 32, .values = 512}) == "limit_exceeded");
    CHECK(error_code(brackets, {.bytes = 2'000'000, .depth = 2'000'000, .values = 512}) == "malformed_json");
}

TEST_CASE("each limit holds at its edge") {
    const auto nested = [](std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); };
    CHECK(error_code(nested(32)).empty());
    CHECK(error_code(nested(33)) == "limit_exceeded");
    CHECK(error_code("[1,[2,3]]", {.bytes = 100, .depth = 2, .values = 4}).empty());
    CHECK(error_code("[1,[2,3]]", {.bytes = 100, .depth = 2, .values = 3}) == "limit_exceeded");
    CHECK(error_code("[1]", {.bytes = 3, .depth = 2, .values = 3}).empty());
    CHECK(error_code("[1] ", {.bytes = 3, .depth = 2, .values = 3}) == "limit_exceeded");
}

TEST_CASE("what is not JSON is refused") {
    using namespace std::string_literals;
    const auto text = GENERATE(""s, " "s, "{"s, "}"s, "{]"s, "[1,]"s, "{\"a\":1,}"s, "{a:1}"s, "'a'"s, "nul"s,
                               "NaN"s, "Infinity"s, "+1"s, "01"s, "1."s, ".5"s, "1e"s, "[1] 2"s, "{}{}"s,
                               "{} x"s, "// c\n1"s, "\"\n\""s, "\"\\x\""s, "\"\\u12\""s, "\"open"s,
                               "\xEF\xBB\xBF{}"s, "{}\0{}"s, "\"\0\""s, "\0"s);
    CAPTURE(text);
    CHECK(error_code(text) == "malformed_json");
}

TEST_CASE("text that is not UTF-8 is refused") {
    using namespace std::string_literals;
    const auto text =
        GENERATE("\x80"s, "\xC3"s, "\xC0\xAF"s, "\xE2\x82"s, "\xED\xA0\x80"s, "\xF4\x90\x80\x80"s, "\xFF"s);
    CHECK(error_code("\"" + text + "\"") == "malformed_json");
    CHECK(error_code("{\"" + text + "\": 1}") == "malformed_json");
    CHECK(error_code("\"" + text) == "malformed_json");
    CHECK(error_field(R"({"a": 1, "names": ["x", ")" + text + "\"]}") == "names[1]");
    CHECK(error_field(R"({"a": 1, ")" + text + "\": 1}").empty());
}

TEST_CASE("half a surrogate pair is refused in either half") {
    const auto text =
        GENERATE("\"\\ud800\"", "\"\\ud800x\"", "\"\\ud800\\u0041\"", "\"\\udc00\"", "\"\\udfff\\ud800\"");
    CHECK(error_code(text) == "malformed_json");
    CHECK(error_code("\"\\ud7ff\\ue000\"").empty());
}

TEST_CASE("a key given twice is refused and named") {
    CHECK(error_code(R"({"a": 1, "b": 2, "a": 1})") == "duplicate_key");
    CHECK(error_field(R"({"x": [{}, {"a": 1, "\u0061": 2}]})") == "x[1].a");
    CHECK(error_code(R"({"a": {"a": 1}, "b": {"a": 1}})").empty());
}

TEST_CASE("U+0000 is refused and its field named") {
    CHECK(error_code(R"({"firstName": "A\u0000B"})") == "nul_character");
    CHECK(error_field(R"({"firstName": "A\u0000B"})") == "firstName");
    CHECK(error_field(R"({"names": ["a", "\u0000"]})") == "names[1]");
    CHECK(error_code("{\"a\\u0000\": 1}") == "nul_character");
}
