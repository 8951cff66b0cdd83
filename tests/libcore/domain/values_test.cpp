#include <catch2/catch.hpp>

#include "libcore/domain/message.hpp"
#include "libcore/domain/time.hpp"
#include "libcore/domain/uuid.hpp"

using namespace domain;
using namespace std::chrono;
using namespace std::chrono_literals;

TEST_CASE("dates are read in one form only and only if the calendar has them") {
    CHECK(parse_date("2024-02-29") == Date{2024y / February / 29});
    for (const char* wrong :
         {"", "2023-02-29", "2024-13-01", "2024-00-10", "2024-01-32", "0000-01-01", "24-01-01", "2024/01/01",
          "2024-1-1", "2024-01-01 ", "+024-01-01", "2024-01-0x"}) {
        INFO(wrong);
        CHECK_FALSE(parse_date(wrong));
    }
    CHECK(to_string(Date{7y / March / 4}) == "0007-03-04");
}

TEST_CASE("instants are written in UTC with a fraction only where there is one") {
    const Instant instant = sys_days(2027y / February / 28) + 9h;
    CHECK(to_string(instant) == "2027-02-28T09:00:00Z");
    CHECK(to_string(instant + 1us) == "2027-02-28T09:00:00.000001Z");
    CHECK(to_string(Instant(sys_days(1969y / December / 31) + 23h + 59min + 59s + 500ms)) ==
          "1969-12-31T23:59:59.500000Z");
}

TEST_CASE("instants are read in any zone and in one form only") {
    const Instant nine = sys_days(2027y / February / 28) + 9h;
    CHECK(parse_instant("2027-02-28T09:00:00Z") == nine);
    CHECK(parse_instant("2027-02-28T10:30:00+01:30") == nine);
    CHECK(parse_instant("2027-02-27T21:00:00.25-12:00") == nine + 250ms);
    CHECK(parse_instant("2027-02-28T09:00:00.000001Z") == nine + 1us);
    CHECK_FALSE(parse_instant("2027-02-28T09:00:00.0000000000Z"));
    CHECK_FALSE(parse_instant("0001-01-01T00:00:00+14:00"));
    CHECK_FALSE(parse_instant("9999-12-31T23:59:59-14:00"));
    for (const char* wrong : {"", "2027-02-28", "2027-02-28T09:00:00", "2027-02-28 09:00:00Z",
                              "2027-02-29T09:00:00Z", "2027-02-28T24:00:00Z", "2027-02-28T09:60:00Z",
                              "2027-02-28T09:00:60Z", "2027-02-28T09:00:00.Z", "2027-02-28T09:00:00.1234567Z",
                              "2027-02-28T09:00:00.5", "2027-02-28T09:00:00.", "2027-02-28T09:00:00+1:00",
                              "2027-02-28T09:00:00+24:00", "2027-02-28T09:00:00ZZ", "2027-02-28T-9:00:00Z"}) {
        INFO(wrong);
        CHECK_FALSE(parse_instant(wrong));
    }
}

TEST_CASE("a UUID survives its text form and nothing else is taken for one") {
    const auto uuid = parse_uuid("01A1FC42-fd7a-7925-bcbf-4b637f6d7457");
    REQUIRE(uuid);
    CHECK(to_string(*uuid) == "01a1fc42-fd7a-7925-bcbf-4b637f6d7457");
    for (const char* wrong :
         {"", "01a1fc42fd7a7925bcbf4b637f6d7457", "01a1fc42-fd7a-7925-bcbf-4b637f6d745",
          "01a1fc42-fd7a-7925-bcbf-4b637f6d745g", "01a1fc42-fd7a-7925-bcbf4-b637f6d7457"}) {
        INFO(wrong);
        CHECK_FALSE(parse_uuid(wrong));
    }
}

TEST_CASE("version 7 UUIDs are marked as such and ordered by time") {
    const std::array<std::uint8_t, 10> ones{255, 255, 255, 255, 255, 255, 255, 255, 255, 255};
    const sys_time<milliseconds> at{0x0123456789abms};
    CHECK(to_string(uuid_v7(at, ones)) == "01234567-89ab-7fff-bfff-ffffffffffff");
    CHECK(uuid_v7(at, ones) < uuid_v7(at + 1ms, {}));
}

TEST_CASE("the idempotency key is made of user and type and delivery date") {
    const auto user = parse_uuid("01a1fc42-fd7a-7925-bcbf-4b637f6d7457");
    REQUIRE(user);
    CHECK(idempotency_key(*user, "BIRTHDAY", 2027y / February / 28) ==
          "01a1fc42-fd7a-7925-bcbf-4b637f6d7457:BIRTHDAY:2027-02-28");
}

TEST_CASE("every status has one spelling") {
    for (int i = 0; i <= static_cast<int>(Status::unknown); ++i) {
        const auto status = static_cast<Status>(i);
        CHECK(parse_status(to_string(status)) == status);
    }
    CHECK_FALSE(parse_status("sent"));
}
