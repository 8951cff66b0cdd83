#include "libcore/json/user.hpp"

#include <catch2/catch.hpp>

#include "libcore/json/parser.hpp"

namespace {

json::UserInput decode(std::string_view text, domain::UserFields base = {}) {
    return json::decode_user(json::parse(text).value(), std::move(base));
}

}  // namespace

TEST_CASE("every field of a user is read") {
    const auto input = decode(R"({"firstName": "Ada", "lastName": "Lovelace", "email": "ada@example.com",
        "timezone": "Europe/London", "birthdayDate": "1815-12-10", "anniversaryDate": "2024-02-29",
        "locationCity": "London", "locationCountry": "UK", "externalId": "e-1", "optedOut": true})");
    CHECK(input.errors.empty());
    CHECK(input.fields == domain::UserFields{"Ada", "Lovelace", "ada@example.com", "Europe/London",
                                             domain::parse_date("1815-12-10"),
                                             domain::parse_date("2024-02-29"), "London", "UK", "e-1", true});
}

TEST_CASE("a change keeps what it does not mention and null clears") {
    domain::UserFields present;
    present.first_name = "Ada";
    present.birthday_date = domain::parse_date("1990-01-01");
    present.location_city = "London";
    const auto input = decode(R"({"birthdayDate": null, "locationCity": "Paris"})", present);
    CHECK(input.errors.empty());
    CHECK(input.fields.first_name == "Ada");
    CHECK_FALSE(input.fields.birthday_date);
    CHECK(input.fields.location_city == "Paris");
}

TEST_CASE("every member that cannot be understood is named") {
    const auto input = decode(R"({"firstName": 1, "lastName": ["x"], "birthdayDate": "2023-02-29",
        "anniversaryDate": 20240101, "locationCity": {}, "optedOut": null, "admin": true})");
    CHECK(input.errors == domain::Errors{{"wrong_type", "firstName", "must be a string"},
                                         {"wrong_type", "lastName", "must be a string"},
                                         {"impossible_date", "birthdayDate",
                                          "must be a date of the calendar, written YYYY-MM-DD"},
                                         {"wrong_type", "anniversaryDate", "must be a string"},
                                         {"wrong_type", "locationCity", "must be a string"},
                                         {"wrong_type", "optedOut", "must be true or false"},
                                         {"unknown_field", "admin", "is not a field of a user"}});
}

TEST_CASE("a body that is no object is one error") {
    CHECK(decode("[]").errors == domain::Errors{{"wrong_type", "", "must be a JSON object"}});
    CHECK(decode("null").errors.size() == 1);
}

TEST_CASE("a user is written in camel case with nulls for what is absent") {
    domain::User user;
    user.id = *domain::parse_uuid("0190a0b0-c0d0-7e00-8f00-000000000001");
    user.fields.first_name = "Zoë \"Z\"";
    user.fields.last_name = "Doe";
    user.fields.email = "zoe@example.com";
    user.fields.timezone = "UTC";
    user.fields.birthday_date = domain::parse_date("2000-02-29");
    user.created_at = domain::Instant(std::chrono::milliseconds(1'500));
    user.updated_at = user.created_at;
    CHECK(
        json::encode(user) ==
        R"({"id":"0190a0b0-c0d0-7e00-8f00-000000000001","firstName":"Zoë \"Z\"","lastName":"Doe",)"
        R"("email":"zoe@example.com","timezone":"UTC","birthdayDate":"2000-02-29","anniversaryDate":null,)"
        R"("locationCity":null,"locationCountry":null,"externalId":null,"optedOut":false,)"
        R"("createdAt":"1970-01-01T00:00:01.500000Z","updatedAt":"1970-01-01T00:00:01.500000Z","deletedAt":null})");
}
