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

TEST_CASE("times of day are read in two forms and written in the shorter one that fits") {
    CHECK(parse_time_of_day("09:00") == TimeOfDay{9h});
    CHECK(parse_time_of_day("23:59:58") == TimeOfDay{23h + 59min + 58s});
    for (const char* wrong :
         {"", "9:00", "24:00", "09:60", "09:00:60", "09-00", "09:00Z", "09:00:", "+9:00", "09:00:00.5"}) {
        INFO(wrong);
        CHECK_FALSE(parse_time_of_day(wrong));
    }
    CHECK(to_string(TimeOfDay{9h}) == "09:00");
    CHECK(to_string(TimeOfDay{18h + 30min + 15s}) == "18:30:15");
}

TEST_CASE("durations are one number with its unit and written in the largest that fits") {
    CHECK(parse_duration("48h") == 48h);
    CHECK(parse_duration("10d") == days(10));
    CHECK(parse_duration("15m") == 15min);
    CHECK(parse_duration("30s") == 30s);
    CHECK(parse_duration("250ms") == 250ms);
    CHECK(parse_duration("0s") == 0s);
    CHECK(parse_duration("36500d") == days(36'500));
    for (const char* wrong : {"", "h", "48", "48 h", "-1h", "+1h", "1.5h", "1h30m", "1w", "36501d", "1H",
                              "99999999999h", "0x1h", "999999999d"}) {
        INFO(wrong);
        CHECK_FALSE(parse_duration(wrong));
    }
    CHECK(to_string(48h) == "2d");
    CHECK(to_string(26h) == "26h");
    CHECK(to_string(90s) == "90s");
    CHECK(to_string(0ms) == "0s");
    CHECK(to_string(1500ms) == "1500ms");
}
