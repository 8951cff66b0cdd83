#include "libcore/postgres/loans.hpp"

#include <catch2/catch.hpp>
#include <string_view>

#include "libcore/postgres/parameter_types.hpp"

using namespace std::chrono_literals;
using postgres::Loans;

namespace {

constexpr Loans::Time start{1'000s};
const auto here = std::source_location::current();

}  // namespace

TEST_CASE("a loan that takes too long is told once, with the place that borrowed") {
    Loans loans(30s);
    loans.begin(3, here, start);
    loans.begin(1, here, start + 20s);
    CHECK(loans.newly_overdue(start + 29s).empty());
    const auto found = loans.newly_overdue(start + 31s);
    REQUIRE(found.size() == 1);
    CHECK(found[0].first == 3);
    CHECK(found[0].second.from.line() == here.line());
    CHECK(found[0].second.since == start);
    CHECK(loans.newly_overdue(start + 40s).empty());
    CHECK(loans.overdue() == 1);
    CHECK(loans.newly_overdue(start + 50s).size() == 1);
    loans.end(3);
    CHECK(loans.overdue() == 1);
    CHECK_FALSE(loans.of(3));
}

TEST_CASE("it is looked for when the first may be overdue, which a later loan cannot be before") {
    Loans loans(30s);
    CHECK(loans.due(start) == start + 30s);
    loans.begin(0, here, start);
    loans.begin(1, here, start + 5s);
    CHECK(loans.due(start + 10s) == start + 30s);
    loans.newly_overdue(start + 30s);
    CHECK(loans.due(start + 30s) == start + 35s);
    loans.end(1);
    CHECK(loans.due(start + 30s) == start + 60s);
}

TEST_CASE("while the connection is being opened the time is not the borrower's") {
    Loans loans(30s);
    loans.begin(0, here, start, true);
    CHECK(loans.newly_overdue(start + 40s).empty());
    CHECK(loans.due(start + 40s) == start + 70s);
    loans.opened(0, start + 40s);
    CHECK(loans.newly_overdue(start + 69s).empty());
    const auto found = loans.newly_overdue(start + 70s);
    REQUIRE(found.size() == 1);
    CHECK(found[0].second.from.line() == here.line());
}

TEST_CASE("a place that is lent again is not overdue any more, and nothing is when it is not asked for") {
    Loans loans(30s), off(0s);
    loans.begin(0, here, start);
    loans.newly_overdue(start + 30s);
    loans.begin(0, here, start + 31s);
    CHECK(loans.overdue() == 0);
    off.begin(0, here, start);
    CHECK(off.newly_overdue(start + 1h).empty());
    CHECK(off.due(start) == Loans::Time::max());
    CHECK(off.of(0)->since == start);
}

TEST_CASE("types of parameters are written as PostgreSQL names them") {
    using postgres::ParameterTypes;
    STATIC_REQUIRE(ParameterTypes<>::text.empty());
    STATIC_REQUIRE(ParameterTypes<int>::text == "integer");
    STATIC_REQUIRE(
        ParameterTypes<domain::Uuid, std::optional<domain::Date>, std::vector<std::string_view>,
                       std::chrono::milliseconds, domain::Instant, bool, std::int64_t, double>::text ==
        "uuid, date, text[], interval, timestamptz, boolean, bigint, double precision");
}
