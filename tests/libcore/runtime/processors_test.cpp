#include "libcore/runtime/processors.hpp"

#include <catch2/catch.hpp>

using runtime::processors_within;

TEST_CASE("a limit of processor time counts as so many processors, and never as more than there are") {
    CHECK(processors_within("200000 100000", 48) == 2);
    CHECK(processors_within("200000 100000\n", 48) == 2);
    CHECK(processors_within("250000 100000", 48) == 3);
    CHECK(processors_within("10000 100000", 48) == 1);
    CHECK(processors_within("50000 20000", 48) == 3);
    CHECK(processors_within("6400000 100000", 48) == 48);
    CHECK(processors_within("9000000000000000000 1", 48) == 48);
}

TEST_CASE(
    "without a limit, or with one that nobody understands, there are as many processors as are present") {
    for (const auto* none :
         {"max 100000", "-1 100000", "", " ", "max", "200000", "0 100000", "200000 0", "200000 -1",
          "2e5 100000", "200000 100000 7", "200000,100000", "two one", "99999999999999999999 1"}) {
        CAPTURE(none);
        CHECK(processors_within(none, 48) == 48);
    }
    CHECK(runtime::processors() >= 1);
}
