#include "libcore/json/occasion.hpp"

#include <catch2/catch.hpp>

#include "libcore/json/parser.hpp"

namespace {

json::OccasionInput decode(std::string_view text) {
    return json::decode_occasion(json::parse(text).value());
}

}  // namespace

TEST_CASE("an occasion is read and written back") {
    const auto input = decode(R"({"messageType": "NAME_DAY", "date": "2024-02-29", "oneOff": true})");
    CHECK(input.errors.empty());
    const domain::Occasion occasion{input.occasion.message_type, input.occasion.date.value(),
                                    input.occasion.one_off};
    json::Writer writer;
    json::write(writer, occasion);
    CHECK(writer.take() == R"({"messageType":"NAME_DAY","date":"2024-02-29","oneOff":true})");
    CHECK_FALSE(decode(R"({"messageType": "NAME_DAY", "date": "2024-02-29"})").occasion.one_off);
}

TEST_CASE("every member of an occasion that cannot be understood is named") {
    const auto input = decode(R"({"messageType": 7, "date": "2023-02-29", "oneOff": null, "years": 3})");
    CHECK(input.errors ==
          domain::Errors{{"wrong_type", "messageType", "must be a string"},
                         {"impossible_date", "date", "must be a date of the calendar, written YYYY-MM-DD"},
                         {"wrong_type", "oneOff", "must be true or false"},
                         {"unknown_field", "years", "is not a field of an occasion"}});
    CHECK(decode(R"({"date": 20240229})").errors.front().code == "wrong_type");
    CHECK(decode("null").errors == domain::Errors{{"wrong_type", "", "must be a JSON object"}});
    CHECK(decode(R"({"messageType": null, "date": null})").errors.empty());
}
