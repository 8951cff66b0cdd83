#include "libcore/json/writer.hpp"

#include <catch2/catch.hpp>

#include "libcore/json/parser.hpp"

TEST_CASE("the writer puts commas between values and nowhere else") {
    json::Writer writer;
    writer.begin_object().member("a", 1).key("b").begin_array();
    writer.value(true).value("[").value(std::optional<int>()).begin_object().end_object().end_array();
    writer.member("c", std::optional<std::string>("{")).member("d", INT64_MIN).end_object();
    CHECK(writer.take() == R"({"a":1,"b":[true,"[",null,{}],"c":"{","d":-9223372036854775808})");
}

TEST_CASE("every character survives writing and parsing") {
    std::string text = "\"\\/ grüß 誕生日 🎂 \xE2\x80\xA8\x7F";
    for (char c = 1; c < 0x20; ++c) text += c;
    json::Writer writer;
    writer.begin_array().value(text).end_array();
    const auto parsed = json::parse(writer.take());
    REQUIRE(parsed);
    CHECK(*parsed->array()->front().string() == text);
}
