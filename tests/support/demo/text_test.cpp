#include "tests/support/demo/text.hpp"

#include <catch2/catch.hpp>
#include <clocale>

using namespace std::chrono_literals;

namespace {

const bool utf8 = std::setlocale(LC_CTYPE, "C.UTF-8") != nullptr;

}  // namespace

TEST_CASE("a Chinese letter takes two columns and a combining mark none") {
    REQUIRE(utf8);
    CHECK(demo::columns("Zoë") == 3);
    CHECK(demo::columns("秀英") == 4);
    CHECK(demo::columns("Zoe\u0308") == 3);
}

TEST_CASE("a text is cut between letters and never wider than it may be") {
    CHECK(demo::shortened("秀英秀英", 8) == "秀英秀英");
    CHECK(demo::shortened("秀英秀英", 6) == "秀英…");
    CHECK(demo::padded("秀", 4) == "秀  ");
    CHECK(demo::padded("Kaʻiulani", 5) == "Kaʻi…");
}

TEST_CASE("thousands are told apart and dates carry their weekday") {
    CHECK(demo::grouped(999) == "999");
    CHECK(demo::grouped(1234567) == "1,234,567");
    CHECK(demo::in_milliseconds(-1500us) == "−2 ms");
    CHECK(demo::calendar_time(std::chrono::sys_days(2027y / 2 / 28) + 14h + 37min) ==
          "Sun 28 Feb 2027 14:37");
}

TEST_CASE("nine in the morning is at one offset or at two a day apart") {
    const std::chrono::sys_days day = 2027y / 2 / 28;
    CHECK(demo::offsets_at_nine(day + 9h) == std::vector{0});
    CHECK(demo::offsets_at_nine(day + 14h + 59min) == std::vector{-5});
    CHECK(demo::offsets_at_nine(day + 20h) == std::vector{-11, 13});
    CHECK(demo::names_of({-11, 13}) == "UTC−11 and UTC+13");
    CHECK(demo::names_of({0}) == "UTC");
}

TEST_CASE("two texts are told apart by the script of their first letter beyond Latin") {
    CHECK(demo::script_of("Hey, Łukasz O’Neill Nguyễn") == 0);
    CHECK(demo::script_of("Hey, 은서") == demo::script_of("Hey, 하은"));
    CHECK(demo::script_of("Hey, 秀英") == demo::script_of("Hey, 美咲"));
    CHECK(demo::script_of("Hey, Анна") != demo::script_of("Hey, Ελένη"));
}
