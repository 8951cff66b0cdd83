#include "libcore/domain/allowlist.hpp"

#include <catch2/catch.hpp>

using domain::Allowlist;

namespace {

bool allows(const std::string& list, const std::string& email) {
    return Allowlist::parse(list).value().allows(email);
}

}  // namespace

TEST_CASE("without a list everybody is allowed") {
    CHECK(Allowlist().allows_everybody());
    CHECK(Allowlist().allows("ada@example.org"));
    CHECK_FALSE(Allowlist::parse("*@example.org").value().allows_everybody());
}

TEST_CASE("a pattern allows the addresses that it matches as a whole in any case") {
    CHECK(allows("ada@example.org", "Ada@Example.ORG"));
    CHECK_FALSE(allows("ada@example.org", "ada@example.org.evil.com"));
    CHECK_FALSE(allows("ada@example.org", "xada@example.org"));
    CHECK(allows("*@EXAMPLE.org", "ada@example.org"));
    CHECK_FALSE(allows("*@example.org", "ada@mail.example.org"));
    CHECK_FALSE(allows("*@example.org", "ada@example.com"));
    CHECK(allows("*@*.example.org", "ada@mail.eu.example.org"));
    CHECK(allows("ada+*@example.org", "ada+test@example.org"));
    CHECK(allows("ada*@example.org", "ada@example.org"));
    CHECK(allows("a*b*c@example.org", "aabbc@example.org"));
    CHECK_FALSE(allows("a*b*c@example.org", "aabbcd@example.org"));
    CHECK_FALSE(allows("*@example.org", ""));
    CHECK(allows("*@*", "anybody@anywhere"));
}

TEST_CASE("one pattern of a list is enough") {
    const std::string list = "ada@example.com,*@example.org";
    CHECK(allows(list, "ada@example.com"));
    CHECK(allows(list, "bob@example.org"));
    CHECK_FALSE(allows(list, "bob@example.com"));
}

TEST_CASE("a pattern full of stars is matched in no time") {
    std::string pattern;
    for (int i = 0; i < 100; ++i) pattern += "*a";
    CHECK_FALSE(allows(pattern + "@b", std::string(200, 'a') + "@c"));
}

TEST_CASE("what is not a list of patterns is refused") {
    for (const char* wrong :
         {"", "example.org", "*", "@example.org", "ada@", "ada@example.org,", ",*@example.org",
          "ada@example.org, bob@example.org", "a@b@c", "*@example.org;*@example.com "}) {
        INFO(wrong);
        CHECK_FALSE(Allowlist::parse(wrong));
    }
}
