#include "services/api/limits.hpp"

#include <catch2/catch.hpp>

using api::parse_limits;
using api::RequestClass;

TEST_CASE("a key's limits are read as an operator writes them") {
    CHECK(parse_limits("none")->unlimited);
    CHECK(parse_limits("create=600,read=10000")->requests == api::ClassLimits{600, 0, 10'000, 0});
    CHECK(parse_limits("delete=1,update=2")->requests == api::ClassLimits{0, 2, 0, 1});
    CHECK_FALSE(parse_limits("read=5")->unlimited);
    for (const auto* wrong :
         {"", "none,read=5", "read", "read=", "read=0", "read=-1", "read=1.5", "read=1,read=2", "write=5",
          "read=5,", "read = 5", "read=1000000000", "READ=5", "=5"}) {
        CAPTURE(wrong);
        CHECK_FALSE(parse_limits(wrong));
    }
}

TEST_CASE("a request's class follows from its method") {
    CHECK(api::class_of("POST") == RequestClass::create);
    CHECK(api::class_of("PUT") == RequestClass::update);
    CHECK(api::class_of("PATCH") == RequestClass::update);
    CHECK(api::class_of("GET") == RequestClass::read);
    CHECK(api::class_of("DELETE") == RequestClass::remove);
    CHECK(api::name_of(RequestClass::remove) == "delete");
}
