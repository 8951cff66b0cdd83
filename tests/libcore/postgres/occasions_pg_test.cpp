#include "libcore/postgres/occasions_table.hpp"

#include <atomic>
#include <catch2/catch.hpp>
#include <functional>
#include <future>

#include "libcore/postgres/message_types_table.hpp"
#include "tests/libcore/postgres/ledger.hpp"
#include "tests/support/eventually.hpp"

namespace {

using domain::Occasion;
using postgres::Removed;

const auto eight = at(2027y / 2 / 27, 8h);

struct Occasions : Ledger {
    Occasions() : Ledger(eight - 24h) {
        execute("INSERT INTO message_types (name, template) VALUES ('PARTY', 'Party!'), ('NAME_DAY', 'Hi!')");
        set_clock(eight);
    }

    /// Whether somebody waits for a lock that another session holds.
    bool somebody_waits() {
        return value<bool>(
            "SELECT EXISTS (SELECT FROM pg_stat_activity "
            "WHERE datname = current_database() AND wait_event_type = 'Lock')");
    }

    domain::Uuid somebody(const std::string& zone = "UTC") { return add(born(1990y / 7 / 7, zone)); }

    /// `looked` is called when the facts are known.
    std::optional<domain::Result<Occasion>> insert(
        const domain::Uuid& user, const Occasion& occasion, const std::function<void()>& looked = [] {}) {
        const domain::OccasionInput asked{occasion.message_type, occasion.date, occasion.one_off};
        return postgres::insert_occasion(pool, user, asked, [&](const domain::OccasionFacts& facts) {
            looked();
            return domain::validated(asked, facts);
        });
    }

    /// "" when it was taken.
    std::string refusal(const domain::Uuid& user, const Occasion& occasion) {
        const auto inserted = insert(user, occasion).value();
        return inserted ? "" : inserted.errors().front().code;
    }

    domain::OccasionFacts facts(const domain::Uuid& user, const domain::OccasionInput& asked) {
        domain::OccasionFacts seen;
        const auto look = [&](const domain::OccasionFacts& told) {
            seen = told;
            return domain::Error{"no", "date", "no"};
        };
        CHECK_FALSE(*postgres::insert_occasion(pool, user, asked, look));
        return seen;
    }

    std::vector<Occasion> list(const domain::Uuid& user) {
        return postgres::occasions_of_user(pool, user).value();
    }
};

const Occasion party{"PARTY", 2020y / 2 / 27};

}  // namespace

TEST_CASE("an occasion is listed, and its message is planned and goes with it") {
    Occasions ledger;
    const auto user = ledger.somebody();
    CHECK(ledger.list(user).empty());
    const Occasion later{"PARTY", 2021y / 3 / 5, true};
    const Occasion name_day{"NAME_DAY", 2019y / 5 / 1};
    for (const auto& occasion : {party, name_day}) CHECK(ledger.insert(user, occasion)->value() == occasion);
    ledger.execute(
        "INSERT INTO user_occasions (user_id, message_type, date, one_off) SELECT id, 'PARTY', "
        "'2021-03-05', true FROM users");
    CHECK(ledger.list(user) == std::vector<Occasion>{name_day, party, later});

    const auto message = ledger.message(user);
    CHECK(message.type == "PARTY");
    CHECK(message.scheduled == eight + 1h);
    CHECK(postgres::delete_occasion(ledger.pool, user, "PARTY", party.date) == Removed::occasion);
    CHECK(ledger.messages(user).empty());
    CHECK(postgres::delete_occasion(ledger.pool, user, "PARTY", party.date) == Removed::no_occasion);
    CHECK(postgres::delete_occasion(ledger.pool, user, "NO_SUCH", party.date) == Removed::no_occasion);
    CHECK(ledger.list(user) == std::vector<Occasion>{name_day, later});
}

TEST_CASE("an occasion belongs to a user who is there") {
    Occasions ledger;
    const auto nobody = ledger.value<domain::Uuid>("SELECT uuid_v7()");
    const auto gone = ledger.somebody();
    REQUIRE(ledger.insert(gone, party));
    REQUIRE(postgres::delete_user(ledger.pool, gone));
    for (const auto& user : {nobody, gone}) {
        CHECK_FALSE(postgres::occasions_of_user(ledger.pool, user));
        CHECK_FALSE(ledger.insert(user, party));
        CHECK(postgres::delete_occasion(ledger.pool, user, "PARTY", party.date) == Removed::no_user);
    }
}

TEST_CASE("whether an occasion has passed is a matter of its type's time where the user lives") {
    Occasions ledger;
    const auto passed = [&](const domain::Uuid& user, const domain::Date& date) {
        return ledger.facts(user, {"PARTY", date, true}).passed;
    };
    const auto london = ledger.somebody();
    CHECK(passed(london, 2027y / 2 / 26));
    CHECK_FALSE(passed(london, 2027y / 2 / 27));
    CHECK(passed(ledger.somebody("Asia/Tokyo"), 2027y / 2 / 27));
    CHECK_FALSE(passed(ledger.somebody("America/New_York"), 2027y / 2 / 27));
    ledger.execute("UPDATE message_types SET send_at = '07:00'");
    CHECK(passed(london, 2027y / 2 / 27));
    CHECK_FALSE(passed(london, 2027y / 2 / 28));
    CHECK(ledger.refusal(london, {"PARTY", 2027y / 2 / 27, true}) == "in_the_past");
    CHECK(ledger.refusal(london, {"PARTY", 2027y / 2 / 27, false}).empty());
}

TEST_CASE("an occasion can be asked for with a type or a date that makes no sense") {
    Occasions ledger;
    const auto user = ledger.somebody();
    for (const auto& type : {"", "NO_SUCH", "'; --"}) {
        const auto told = ledger.facts(user, {type, {}, false});
        CHECK_FALSE(told.type_exists);
        CHECK_FALSE(told.passed);
        CHECK_FALSE(told.already_there);
    }
    CHECK(ledger.facts(user, {"PARTY", {}, true}).type_exists);
    CHECK_FALSE(ledger.facts(user, {"PARTY", {}, true}).passed);
    CHECK(ledger.facts(user, {"PARTY", 1y / 1 / 1, true}).passed);
    CHECK_FALSE(ledger.facts(user, {"PARTY", 9999y / 12 / 31, true}).passed);
}

TEST_CASE("a user has each date of a type once and at most a hundred, whoever comes at the same moment",
          "[threads]") {
    Occasions ledger;
    const auto user = ledger.somebody();
    REQUIRE(ledger.refusal(user, party).empty());
    CHECK(ledger.refusal(user, party) == "duplicate");
    CHECK(ledger.refusal(user, {"NAME_DAY", party.date}).empty());
    for (int n = 1; n <= 97; ++n) {
        const auto date = std::chrono::sys_days(2000y / 5 / 1) + std::chrono::days(n);
        REQUIRE(ledger.refusal(user, {"PARTY", domain::Date(date)}).empty());
    }
    // Another comes for the last place while somebody is about to take it.
    std::atomic<bool> looked = false;
    std::future<bool> other;
    const auto one = ledger.insert(user, {"PARTY", 2001y / 1 / 1}, [&] {
        other = std::async(std::launch::async, [&] {
            return bool(ledger.insert(user, {"PARTY", 2001y / 1 / 2}, [&] { looked = true; }).value());
        });
        CHECK(support::eventually([&] { return looked || ledger.somebody_waits(); }));
    });
    CHECK(one.value());
    CHECK_FALSE(other.get());
    CHECK(ledger.refusal(user, {"PARTY", 2001y / 1 / 2}) == "too_many");
    CHECK(ledger.list(user).size() == 100);
    CHECK(ledger.refusal(ledger.somebody(), party).empty());
}

TEST_CASE("the occasions of a deleted type are there no more and none can be added") {
    Occasions ledger;
    const auto user = ledger.somebody();
    REQUIRE(ledger.insert(user, party));
    REQUIRE(postgres::delete_message_type(ledger.pool, "ops", "PARTY"));
    CHECK(ledger.list(user).empty());
    CHECK(ledger.refusal(user, {"PARTY", 2020y / 2 / 28}) == "unknown_message_type");
    CHECK(postgres::delete_occasion(ledger.pool, user, "PARTY", party.date) == Removed::no_occasion);
}

TEST_CASE("a type deleted between the look and the insert is told as an unknown one") {
    Occasions ledger;
    const auto user = ledger.somebody();
    const domain::OccasionInput asked{"PARTY", party.date, false};
    const auto inserted =
        postgres::insert_occasion(ledger.pool, user, asked, [&](const domain::OccasionFacts& facts) {
            postgres::delete_message_type(ledger.pool, "ops", "PARTY");
            return domain::validated(asked, facts);
        });
    CHECK(inserted->errors().front().code == "unknown_message_type");
    CHECK(ledger.messages(user).empty());
}

TEST_CASE("occasions and their user change at the same moment without a deadlock", "[threads]") {
    Occasions ledger;
    const auto user = ledger.somebody();
    auto moving = std::async(std::launch::async, [&] {
        for (const auto* zone : {"Asia/Tokyo", "Europe/Paris", "UTC", "America/Lima", "UTC"}) {
            for (int n = 0; n < 6; ++n) ledger.change(user, [&](auto& fields) { fields.timezone = zone; });
        }
    });
    for (int n = 0; n < 30; ++n) {
        REQUIRE(ledger.refusal(user, party).empty());
        REQUIRE(postgres::delete_occasion(ledger.pool, user, "PARTY", party.date) == Removed::occasion);
    }
    REQUIRE(ledger.refusal(user, party).empty());
    moving.get();
    CHECK(ledger.message(user).scheduled == eight + 1h);
}
