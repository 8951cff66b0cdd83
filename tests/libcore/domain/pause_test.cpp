#include "libcore/domain/pause.hpp"

#include <catch2/catch.hpp>

using namespace std::chrono_literals;

TEST_CASE("the reason of a pause is one line of text") {
    CHECK(domain::pause_reason("a wrong template é").value() == "a wrong template é");
    CHECK(domain::pause_reason(std::string(500, 'x')));
    const auto [text, code] = GENERATE(table<std::string, std::string>({{"", "required"},
                                                                        {"  ", "required"},
                                                                        {std::string(501, 'x'), "too_long"},
                                                                        {"a\nb", "invalid_characters"},
                                                                        {"a\xFF", "invalid_characters"},
                                                                        {"a\x1b[2J", "invalid_characters"}}));
    CAPTURE(text);
    const auto reason = domain::pause_reason(text);
    REQUIRE_FALSE(reason);
    CHECK(reason.errors().front().code == code);
    CHECK(reason.errors().front().field == "reason");
}

TEST_CASE("the end of a pause is an instant") {
    CHECK(domain::pause_end("2027-03-01T13:00:00+01:00").value() ==
          std::chrono::sys_days(2027y / 3 / 1) + 12h);
    CHECK(domain::pause_end("tomorrow").errors().front().field == "until");
}
