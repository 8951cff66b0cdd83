#include <catch2/catch.hpp>

#include "tests/libcore/postgres/ledger.hpp"

namespace {

const std::string columns =
    "INSERT INTO message_logs (id, user_id, message_type, delivery_date, plan_version, type_version, timezone, "
    "scheduled_send_time, due_at, created_at, updated_at) ";

std::string row(const domain::Uuid& user, const std::string& date, const std::string& zone,
                const std::string& instant) {
    return columns + "VALUES (uuid_v7(), '" + domain::to_string(user) + "', 'BIRTHDAY', '" + date +
           "', 1, 1, '" + zone + "', '" + instant + "', '" + instant + "', app_now(), app_now())";
}

}  // namespace

TEST_CASE("the key that the database makes is the one that the programs know") {
    Ledger ledger;
    const auto user = ledger.add(Ledger::born(1990y / 6 / 1));
    for (const auto* date : {"2027-02-27", "2027-03-01", "2027-04-30"}) {
        ledger.execute(row(user, date, "UTC", std::string(date) + "T09:00Z"));
        CHECK(ledger.value<std::string>("SELECT idempotency_key FROM message_logs WHERE delivery_date = $1",
                                        *domain::parse_date(date)) ==
              domain::idempotency_key(user, "BIRTHDAY", *domain::parse_date(date)));
    }
}

TEST_CASE("one person gets one message a type and date whatever zone and month its instant is in") {
    Ledger ledger;
    const auto user = ledger.add(Ledger::born(1990y / 6 / 1));
    ledger.execute(row(user, "2027-03-01", "Pacific/Kiritimati", "2027-02-28T19:00Z"));
    for (const auto* instant : {"2027-02-28T19:00Z", "2027-03-01T09:00Z", "2027-03-01T20:00Z"}) {
        try {
            ledger.execute(row(user, "2027-03-01", "Pacific/Pago_Pago", instant));
            FAIL("a second message");
        } catch (const postgres::DatabaseError& error) {
            CHECK(error.is_unique_violation());
        }
    }
    ledger.execute(row(user, "2027-02-28", "UTC", "2027-02-28T09:00Z"));
    CHECK(ledger.messages(user).size() == 2);
}

TEST_CASE("the key cannot be written by hand") {
    Ledger ledger;
    ledger.people_due(1);
    CHECK_THROWS_AS(ledger.execute("UPDATE message_logs SET idempotency_key = 'another'"),
                    postgres::DatabaseError);
}
