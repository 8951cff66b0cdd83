#include "libcore/domain/text.hpp"

#include <catch2/catch.hpp>

using domain::clean_text;
using namespace std::string_view_literals;

TEST_CASE("valid text of every script passes unchanged") {
    const std::string text = "Zoë Łukasz Ἀλέξανδρος שלום 山田太郎 🎂 \n\t";
    CHECK(clean_text(text, 4096) == text);
}

TEST_CASE("NUL and bytes that are not UTF-8 are replaced one by one") {
    CHECK(clean_text("a\0b"sv, 100) == "a\uFFFDb");
    CHECK(clean_text("\xFF\xC0\xAF"sv, 100) == "\uFFFD\uFFFD\uFFFD");
    CHECK(clean_text("\xED\xA0\x80"sv, 100) == "\uFFFD\uFFFD\uFFFD");
    CHECK(clean_text("\xE2\x82"sv, 100) == "\uFFFD\uFFFD");
    CHECK(clean_text("\xF5\x80\x80\x80"sv, 100) == "\uFFFD\uFFFD\uFFFD\uFFFD");
}

TEST_CASE("the cut falls between two characters") {
    CHECK(clean_text("ab€", 4) == "ab");
    CHECK(clean_text("ab€", 5) == "ab€");
    CHECK(clean_text("🎂", 3).empty());
    CHECK(clean_text("\xFF"sv, 2).empty());
}

TEST_CASE("a line is valid UTF-8 without controls or line breaks") {
    CHECK(domain::is_line(""));
    CHECK(domain::is_line("Zoë Łukasz שלום 山田太郎 🎂 \u00A0"));
    for (const auto text : {"a\nb"sv, "\r"sv, "\t"sv, "a\0b"sv, "\x7F"sv, "\u0085"sv, "\u2028"sv, "\u2029"sv,
                            "\xFF"sv, "a\xE2\x82"sv, "\xED\xA0\x80"sv}) {
        CHECK_FALSE(domain::is_line(text));
    }
}

TEST_CASE("lower case changes the letters A to Z alone") {
    CHECK(domain::lower_case("America/Port-au-Prince Z[") == "america/port-au-prince z[");
    CHECK(domain::lower_case("ÀÉ") == "ÀÉ");
}
