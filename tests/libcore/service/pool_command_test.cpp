#include "libcore/service/pool_command.hpp"

#include <catch2/catch.hpp>

using namespace std::chrono_literals;
using service::decode_pool_command;
using service::PoolCommand;
using Kind = PoolCommand::Kind;

namespace {

std::string fields_of(Kind kind, std::string_view body) {
    const auto command = decode_pool_command(kind, body);
    if (command) return "fine";
    std::string fields;
    for (const auto& error : command.errors()) fields += error.field + ":" + error.code + " ";
    return fields;
}

}  // namespace

TEST_CASE("a pause has a length, and may be of one pool") {
    const auto command = decode_pool_command(Kind::pause, R"({"for": "90s", "pool": "housekeeping"})");
    REQUIRE(command);
    CHECK(command->length == 90s);
    CHECK(command->pool == "housekeeping");
    CHECK(fields_of(Kind::pause, "") == "for:invalid ");
    CHECK(fields_of(Kind::pause, R"({"for": "2h"})") == "for:invalid ");
    CHECK(fields_of(Kind::pause, R"({"for": "10ms"})") == "for:invalid ");
    CHECK(fields_of(Kind::pause, R"({"for": 5, "pool": 7, "max": 3})") ==
          "max:unknown_field pool:wrong_type for:invalid ");
}

TEST_CASE("to resume and to reconnect nothing need be said") {
    CHECK(fields_of(Kind::resume, "") == "fine");
    CHECK(fields_of(Kind::reconnect, "{}") == "fine");
    CHECK(fields_of(Kind::resume, R"({"for": "1s"})") == "for:unknown_field ");
    CHECK(fields_of(Kind::resume, "[]") == ":wrong_type ");
    CHECK(fields_of(Kind::resume, "{") == ":malformed_json ");
}

TEST_CASE("a pool gets a size within bounds") {
    const auto command = decode_pool_command(Kind::resize, R"({"max": 30, "min": 5})");
    REQUIRE(command);
    CHECK(command->max == 30);
    CHECK(command->min == 5);
    CHECK(fields_of(Kind::resize, R"({"max": 1})") == "fine");
    CHECK(fields_of(Kind::resize, R"({"min": 0})") == "fine");
    CHECK(fields_of(Kind::resize, "{}") == "max:required ");
    CHECK(fields_of(Kind::resize, R"({"max": 0})") == "max:invalid ");
    CHECK(fields_of(Kind::resize, R"({"max": 501})") == "max:invalid ");
    CHECK(fields_of(Kind::resize, R"({"max": 2.5, "min": -1})") == "max:invalid min:invalid ");
    CHECK(fields_of(Kind::resize, R"({"max": 5, "min": 6})") == "min:invalid ");
}
