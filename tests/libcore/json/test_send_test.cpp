#include "libcore/json/test_send.hpp"

#include <catch2/catch.hpp>
#include <map>

#include "libcore/json/parser.hpp"

namespace {

using namespace std::chrono_literals;
using Codes = std::map<std::string, std::string>;

json::TestSendInput decoded(const std::string& text) {
    return json::decode_test_send(json::parse(text).value());
}

Codes codes(const std::string& text) {
    Codes by_field;
    for (const auto& error : decoded(text).person.errors) by_field.emplace(error.field, error.code);
    return by_field;
}

}  // namespace

TEST_CASE("a test message is asked for with a person and perhaps a date or years and lateness") {
    const auto dated = decoded(
        R"({"email": "a@b.org", "firstName": "Ada", "lastName": "Byron", "date": "1990-03-01", "late": true})");
    CHECK(dated.person.errors.empty());
    CHECK(dated.person.fields.email == "a@b.org");
    CHECK(dated.person.fields.first_name == "Ada");
    CHECK(dated.person.fields.last_name == "Byron");
    CHECK(dated.person.fields.birthday_date == 1990y / 3 / 1);
    CHECK_FALSE(dated.years);
    CHECK(dated.late);
    const auto counted = decoded(R"({"years": 7, "date": null, "late": false})");
    CHECK(counted.person.errors.empty());
    CHECK(counted.years == 7);
    CHECK_FALSE(counted.late);
}

TEST_CASE("each wrong field of a test message is named") {
    CHECK(codes("[]") == Codes{{"", "wrong_type"}});
    CHECK(codes(R"({"email": 1, "date": "1990-02-30", "late": "yes", "timezone": "UTC"})") ==
          Codes{{"email", "wrong_type"},
                {"birthdayDate", "impossible_date"},
                {"late", "wrong_type"},
                {"timezone", "unknown_field"}});
    CHECK(codes(R"({"years": 201})") == Codes{{"years", "out_of_range"}});
    CHECK(codes(R"({"years": -1})") == Codes{{"years", "out_of_range"}});
    CHECK(codes(R"({"years": "7"})") == Codes{{"years", "out_of_range"}});
    CHECK(codes(R"({"years": 7, "date": "1990-03-01"})") == Codes{{"years", "conflict"}});
}
