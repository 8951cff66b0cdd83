#include "libcore/domain/user.hpp"

#include <catch2/catch.hpp>
#include <map>

namespace {

const auto today = *domain::parse_date("2026-11-21");

std::optional<std::string> zones(std::string_view name) {
    if (name == "europe/berlin" || name == "Europe/Berlin") return "Europe/Berlin";
    return std::nullopt;
}

domain::UserFields ada() {
    domain::UserFields fields;
    fields.first_name = "Ada";
    fields.last_name = "Lovelace";
    fields.email = "ada@example.com";
    fields.timezone = "Europe/Berlin";
    return fields;
}

domain::Result<domain::UserFields> check(const domain::UserFields& fields) {
    return domain::validated(fields, zones, today);
}

std::map<std::string, std::string> codes(const domain::Result<domain::UserFields>& result) {
    std::map<std::string, std::string> codes;
    if (!result) {
        for (const auto& error : result.errors()) codes.emplace(error.field, error.code);
    }
    return codes;
}

std::string email_code(const std::string& email) {
    auto fields = ada();
    fields.email = email;
    return codes(check(fields))["email"];
}

std::string repeated(std::size_t times, const char* text) {
    std::string result;
    for (std::size_t i = 0; i < times; ++i) result += text;
    return result;
}

}  // namespace

TEST_CASE("a good user is trimmed and its zone gets its canonical name") {
    auto fields = ada();
    fields.first_name = "\t \u00A0Ada\u3000 ";
    fields.email = " ada@example.com ";
    fields.timezone = "europe/berlin";
    fields.location_city = " ";
    fields.external_id = " 7 ";
    const auto result = check(fields);
    REQUIRE(result);
    CHECK(result->first_name == "Ada");
    CHECK(result->email == "ada@example.com");
    CHECK(result->timezone == "Europe/Berlin");
    CHECK_FALSE(result->location_city);
    CHECK(result->external_id == "7");
}

TEST_CASE("every wrong field is reported at once") {
    domain::UserFields fields;
    fields.first_name = repeated(101, "x");
    fields.last_name = " ";
    fields.email = "nobody";
    fields.timezone = "Mars/Olympus";
    fields.birthday_date = domain::parse_date("2026-11-22");
    fields.anniversary_date = domain::parse_date("2201-01-01");
    fields.location_city = "Ber\nlin";
    fields.location_country = repeated(101, "x");
    fields.external_id = repeated(129, "x");
    CHECK(codes(check(fields)) == std::map<std::string, std::string>{{"firstName", "too_long"},
                                                                     {"lastName", "required"},
                                                                     {"email", "invalid_email"},
                                                                     {"timezone", "unknown_timezone"},
                                                                     {"birthdayDate", "in_the_future"},
                                                                     {"anniversaryDate", "out_of_range"},
                                                                     {"locationCity", "invalid_characters"},
                                                                     {"locationCountry", "too_long"},
                                                                     {"externalId", "too_long"}});
}

TEST_CASE("what reading found wrong is kept and that field is not judged again") {
    auto fields = ada();
    fields.first_name = "";
    fields.last_name = "";
    const auto result =
        domain::validated(fields, zones, today, {{"wrong_type", "firstName", "must be a string"}});
    CHECK(codes(result) ==
          std::map<std::string, std::string>{{"firstName", "wrong_type"}, {"lastName", "required"}});
    CHECK(result.errors().size() == 2);
}

TEST_CASE("a name has 1 to 100 characters whatever their bytes") {
    auto fields = ada();
    fields.first_name = repeated(100, "誕");
    fields.last_name = repeated(100, "🎂");
    CHECK(check(fields));
    fields.first_name += "誕";
    fields.last_name += "🎂";
    CHECK(codes(check(fields)) ==
          std::map<std::string, std::string>{{"firstName", "too_long"}, {"lastName", "too_long"}});
}

TEST_CASE("a name cannot carry a line break or a control character") {
    using namespace std::string_literals;
    auto fields = ada();
    fields.first_name = GENERATE("A\r\nBcc: x"s, "A\nB"s, "A\0B"s, "A\x1B[2J"s, "A\x7F"s, "A\u0085B"s,
                                 "A\u2028B"s, "A\n"s, "\r\nA"s, "\n"s);
    CHECK(codes(check(fields)) == std::map<std::string, std::string>{{"firstName", "invalid_characters"}});
}

TEST_CASE("addresses a provider can be expected to take are accepted") {
    const auto email = GENERATE("a@b.co", "first.last+tag@sub.example.com", "o'neill@example.org",
                                "用户@例子.公司", "jürgen@example.com", "_@x-y.example", "1@2.de");
    CHECK(email_code(email).empty());
    CHECK(email_code(repeated(64, "x") + "@example.com").empty());
}

TEST_CASE("what is no address is refused") {
    const auto email =
        GENERATE("plain", "@example.com", "a@", "a@b", "a@@b.com", "a@b@c.com", "a b@example.com",
                 "a@exam ple.com", "a@.com", "a@b..com", "a@b.com.", "a@-b.com", "a@b-.com", ".a@b.com",
                 "a.@b.com", "a..b@c.com", "a@b.com,c@d.com", "<a@b.com>", "a@b.com;c", "\"a\"@b.com",
                 "a@b.com\r\nBcc: x@y.com", "a@[127.0.0.1]", "a\u00A0b@c.com", "a@b_c.com");
    CAPTURE(email);
    CHECK(email_code(email) == "invalid_email");
    CHECK(email_code(repeated(65, "x") + "@example.com") == "invalid_email");
    CHECK(email_code("a@" + repeated(64, "x") + ".com") == "invalid_email");
    CHECK(email_code("a@" + repeated(130, "x.") + "com") == "too_long");
}

TEST_CASE("a birthday is between 1900 and today and an anniversary may lie ahead") {
    auto fields = ada();
    fields.birthday_date = today;
    fields.anniversary_date = domain::parse_date("2200-12-31");
    CHECK(check(fields));
    fields.birthday_date = domain::parse_date("1900-01-01");
    fields.anniversary_date = fields.birthday_date;
    CHECK(check(fields));
    fields.birthday_date = domain::parse_date("1899-12-31");
    fields.anniversary_date = fields.birthday_date;
    CHECK(codes(check(fields)) == std::map<std::string, std::string>{{"birthdayDate", "out_of_range"},
                                                                     {"anniversaryDate", "out_of_range"}});
}
