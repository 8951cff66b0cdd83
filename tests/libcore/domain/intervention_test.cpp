#include "libcore/domain/intervention.hpp"

#include <catch2/catch.hpp>
#include <map>

using namespace domain;
using namespace std::chrono_literals;

namespace {

using Codes = std::map<std::string, std::string>;

const Instant nine = std::chrono::sys_days(2027y / 3 / 1) + 9h;

Codes codes(const Errors& errors) {
    Codes by_field;
    for (const auto& error : errors) by_field.emplace(error.field, error.code);
    return by_field;
}

MessageFilter of_a_type(std::optional<Status> status = {}) {
    return {.status = status, .message_type = "BIRTHDAY", .from = nine, .to = nine + 1h};
}

}  // namespace

TEST_CASE("a list asks for what needs a person, or for one type's messages of a month at most") {
    CHECK(list_faults({}).empty());
    CHECK(list_faults({.status = Status::failed}).empty());
    CHECK(list_faults(of_a_type(Status::sent)).empty());
    CHECK(codes(list_faults({.status = Status::sent})) == Codes{{"status", "invalid"}});
    CHECK(codes(list_faults({.from = nine, .to = nine})) == Codes{{"to", "invalid"}});
    CHECK(codes(list_faults({.from = nine, .to = nine + 24h * 31 + 1s})) == Codes{{"to", "invalid"}});
}

TEST_CASE("a replay of many takes what was given up, and what was delivered only if forced") {
    CHECK(replay_faults({}, {}).empty());
    CHECK(replay_faults({.status = Status::unknown}, {}).empty());
    CHECK(codes(replay_faults(of_a_type(Status::scheduled), {.forced = true})) ==
          Codes{{"status", "invalid"}});
    CHECK(codes(replay_faults(of_a_type(Status::sent), {})) == Codes{{"status", "invalid"}});
    CHECK(replay_faults(of_a_type(Status::sent), {.forced = true}).empty());
    CHECK(codes(replay_faults({.status = Status::sent}, {.forced = true})) == Codes{{"status", "invalid"}});
}

TEST_CASE("a cancel of many takes what waits of one type in a span of time") {
    CHECK(cancel_faults(of_a_type()).empty());
    CHECK(cancel_faults(of_a_type(Status::queued)).empty());
    CHECK(codes(cancel_faults(of_a_type(Status::sending))) == Codes{{"status", "invalid"}});
    CHECK(
        codes(cancel_faults({.status = Status::failed})) ==
        Codes{{"messageType", "required"}, {"from", "required"}, {"to", "required"}, {"status", "invalid"}});
    auto long_time = of_a_type();
    long_time.to = nine + 24h * 32;
    CHECK(codes(cancel_faults(long_time)) == Codes{{"to", "invalid"}});
}
