#include "services/api/url.hpp"

#include <catch2/catch.hpp>
#include <map>

using api::decode_path;
using api::Parameter;
using api::Query;

namespace {

bool any(std::string_view) {
    return true;
}

bool number(std::string_view text) {
    return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

constexpr std::array<Parameter, 2> known = {{{"text", any, ""}, {"limit", number, "must be a number"}}};

/// Code by field; "" for what concerns the query as a whole.
std::map<std::string, std::string> faults(std::string_view query) {
    std::map<std::string, std::string> codes;
    const auto read = Query::read(query, known);
    if (!read)
        for (const auto& error : read.errors()) codes.emplace(error.field, error.code);
    return codes;
}

using Codes = std::map<std::string, std::string>;

}  // namespace

TEST_CASE("a path is decoded segment by segment") {
    using Segments = std::vector<std::string>;
    CHECK(decode_path("/a/b%2Fc/%C3%A9") == Segments{"a", "b/c", "é"});
    CHECK(decode_path("/") == Segments{""});
    CHECK(decode_path("//a+b") == Segments{"", "a+b"});
}

TEST_CASE("a path that is no line of UTF-8 once it is decoded is none") {
    for (const auto* path : {"/%", "/%4", "/%zz", "/%-1", "/a%00b", "/%0d%0aX", "/%0A", "/%FF", "/%C3",
                             "/%C0%AF", "/%ED%A0%80", "/%7F", "/%E2%80%A8"}) {
        CAPTURE(path);
        CHECK_FALSE(decode_path(path));
    }
}

TEST_CASE("a query is decoded and its values found by name") {
    const auto query = Query::read("text=a+b%2Bc%26&&limit=5", known);
    REQUIRE(query);
    CHECK(query->value("text") == "a b+c&");
    CHECK(query->value("limit") == "5");
    CHECK_FALSE(query->value("other"));
    CHECK(Query::read("", known));
    CHECK(Query::read("text", known)->value("text") == "");
    CHECK(Query::read("%74ext=x", known)->value("text") == "x");
}

TEST_CASE("every wrong parameter is named at once") {
    CHECK(faults("limit=x&page=1&text=%00&Text=a") == Codes{{"limit", "invalid"},
                                                            {"page", "unknown_parameter"},
                                                            {"text", "invalid_characters"},
                                                            {"Text", "unknown_parameter"}});
    CHECK(faults("limit=1&limit=1") == Codes{{"limit", "duplicate_parameter"}});
    CHECK(faults("limit=1&%6Cimit=1") == Codes{{"limit", "duplicate_parameter"}});
    for (const auto* text : {"a%0d%0ab", "%FF", "%C3", "a%09b", "%E2%80%A9"}) {
        CAPTURE(text);
        CHECK(faults("text=" + std::string(text)) == Codes{{"text", "invalid_characters"}});
    }
    CHECK(faults("%FF=1") == Codes{{"\uFFFD", "unknown_parameter"}});
    CHECK(faults("=1") == Codes{{"", "unknown_parameter"}});
    CHECK(faults("text=%zz&page=1") == Codes{{"", "invalid_query"}});
}

TEST_CASE("a query of very many or very long parameters is answered in few words") {
    std::string many;
    for (int i = 0; i < 33; ++i) many += "p" + std::to_string(i) + "&";
    CHECK(faults(many) == Codes{{"", "too_many_parameters"}});
    const auto read = Query::read(std::string(8000, 'x'), known);
    CHECK(read.errors().front().field.size() == 100);
}
