#include "libcore/postgres/prepared_statements.hpp"

#include <catch2/catch.hpp>

using postgres::PreparedStatements;
using postgres::Statement;

namespace {

constexpr Statement one{"one", "SELECT 1"};
constexpr Statement two{"two", "SELECT 2"};
constexpr Statement three{"three", "SELECT 3"};

}  // namespace

TEST_CASE("the name of a prepared statement tells its text, and fits") {
    PreparedStatements prepared, of_next_release;
    const std::string name = prepared.use(one).name;
    CHECK(name.starts_with("one_"));
    CHECK(name == prepared.use(one).name);
    CHECK(name != of_next_release.use({"one", "SELECT 11"}).name);
    const std::string long_name(100, 'x');
    CHECK(prepared.use({long_name.c_str(), "SELECT 1"}).name.size() <= 63);
}

TEST_CASE("of too many prepared statements the one used longest ago is forgotten") {
    PreparedStatements prepared(2);
    prepared.use(one).ready = true;
    prepared.use(two).ready = true;
    const std::string name = prepared.use(two).name;
    prepared.use(one);
    CHECK(prepared.outdated().empty());

    prepared.use(three);
    CHECK(prepared.outdated() == std::vector{name});
    prepared.forgotten();
    CHECK(prepared.outdated().empty());
    CHECK(prepared.use(one).ready);
    CHECK_FALSE(prepared.use(two).ready);
}

TEST_CASE("what the server says about a preparation is mended, and nothing else") {
    PreparedStatements prepared;
    auto& known = prepared.use(one);
    known.ready = known.proven = true;
    prepared.use(two).ready = true;

    CHECK_FALSE(prepared.mend(one, "23505"));
    CHECK(prepared.mend(one, "0A000"));
    CHECK_FALSE(prepared.use(one).ready);
    CHECK(prepared.outdated() == std::vector{prepared.use(one).name});
    CHECK_FALSE(prepared.mend(one, "0A000"));

    CHECK(prepared.mend(one, "26000"));
    CHECK(prepared.outdated().empty());
    CHECK_FALSE(prepared.use(two).ready);

    CHECK(prepared.mend(one, "42P05"));
    CHECK(prepared.use(one).ready);
}
