#include "libcore/postgres/test_sends_table.hpp"

#include <catch2/catch.hpp>

#include "libcore/postgres/pause_table.hpp"
#include "tests/libcore/postgres/ledger.hpp"

namespace {

const auto nine = at(2027y / 2 / 27, 9h);

struct TestSends : Ledger {
    TestSends() : Ledger(nine) {}

    static domain::Sample ada() {
        domain::Sample sample;
        sample.first_name = "Ada";
        sample.last_name = "Byron";
        sample.email = "ada@example.org";
        return sample;
    }

    domain::Result<domain::TestSend> insert(const domain::Sample& sample = ada(),
                                            const std::string& type = "ANNIVERSARY") {
        return postgres::insert_test_send(pool, value<domain::Uuid>("SELECT uuid_v7()"), "ops", type, sample)
            .value();
    }

    std::string status(const domain::Uuid& id) { return postgres::find_test_send(pool, id).value().status; }
};

}  // namespace

TEST_CASE("a test message is rendered for the sample and waits") {
    TestSends ledger;
    const auto sent = ledger.insert();
    REQUIRE(sent);
    CHECK(sent->status == "PENDING");
    CHECK(sent->recipient_email == "ada@example.org");
    CHECK(sent->message_content == "Hey, Ada Byron it's your work anniversary! 1 year with us!");
    CHECK(postgres::find_test_send(ledger.pool, sent->id)->message_content == sent->message_content);
    CHECK(ledger.messages().empty());
    CHECK(ledger.value<std::string>("SELECT actor || ' ' || action || ' ' || detail::text FROM audit_log") ==
          R"(ops test message requested {"message_type": "ANNIVERSARY"})");
}

TEST_CASE("a test message counts its years and knows the day on which the date is kept next") {
    TestSends ledger;
    ledger.execute("UPDATE message_types SET template = '{years} {date}', late_template = 'late {date}'");
    auto sample = TestSends::ada();
    sample.years = 7;
    CHECK(ledger.insert(sample)->message_content == "7 years 2027-02-27");
    sample.late = true;
    CHECK(ledger.insert(sample)->message_content == "late 2027-02-27");
    ledger.execute("UPDATE message_types SET late_template = NULL");
    CHECK(ledger.insert(sample)->message_content == "7 years 2027-02-27");
    const auto kept = [&](const domain::Date& date) {
        sample.date = date;
        return ledger.insert(sample)->message_content;
    };
    CHECK(kept(1990y / 2 / 27) == "37 years 2027-02-27");
    CHECK(kept(1990y / 2 / 26) == "38 years 2028-02-26");
    CHECK(kept(1992y / 2 / 29) == "35 years 2027-02-28");
    CHECK(kept(2027y / 2 / 27) == "1 year 2028-02-27");
    ledger.execute("UPDATE message_types SET leap_day = 'skip'");
    CHECK(kept(1992y / 2 / 29) == "36 years 2028-02-29");
}

TEST_CASE("a test message needs a type and a text that fits") {
    TestSends ledger;
    CHECK_FALSE(postgres::insert_test_send(ledger.pool, {}, "ops", "NAME_DAY", TestSends::ada()));
    ledger.execute("UPDATE message_types SET template = repeat('{full_name}', 150)");
    auto sample = TestSends::ada();
    sample.first_name = sample.last_name = std::string(100, 'N');
    CHECK(ledger.insert(sample).errors().front().code == "too_long");
}

TEST_CASE("a hundred test messages may wait") {
    TestSends ledger;
    for (int i = 0; i < 100; ++i) REQUIRE(ledger.insert());
    CHECK(ledger.insert().errors().front().code == "too_many_pending");
    CHECK(postgres::take_test_send(ledger.pool, 30s));
    CHECK(ledger.insert());
}

TEST_CASE("test messages are taken once each and the first comes first") {
    TestSends ledger;
    const auto first = ledger.insert()->id;
    const auto second = ledger.insert()->id;
    CHECK(postgres::take_test_send(ledger.pool, 30s)->id == first);
    CHECK(postgres::take_test_send(ledger.pool, 30s)->id == second);
    CHECK_FALSE(postgres::take_test_send(ledger.pool, 30s));
    CHECK(ledger.status(first) == "SENDING");

    postgres::finish_test_send(ledger.pool, first, domain::Ending::sent, 200, "");
    postgres::finish_test_send(ledger.pool, second, domain::Ending::failed, 400, "refused");
    CHECK(ledger.status(first) == "SENT");
    const auto failed = postgres::find_test_send(ledger.pool, second).value();
    CHECK(failed.status == "FAILED");
    CHECK(failed.api_response_code == 400);
    CHECK(failed.error_message == "refused");
    CHECK(failed.finished_at);
    postgres::finish_test_send(ledger.pool, second, domain::Ending::sent, 200, "");
    CHECK(ledger.status(second) == "FAILED");
}

TEST_CASE("while deliveries are paused test messages wait too") {
    TestSends ledger;
    const auto id = ledger.insert()->id;
    REQUIRE(postgres::pause_deliveries(ledger.pool, "ops", "why", {}));
    CHECK_FALSE(postgres::take_test_send(ledger.pool, 30s));
    CHECK(ledger.status(id) == "PENDING");
    postgres::resume_deliveries(ledger.pool, "ops", {});
    CHECK(postgres::take_test_send(ledger.pool, 30s)->id == id);
}

TEST_CASE("a test message whose worker died is unknown after its lease") {
    TestSends ledger;
    const auto id = ledger.insert()->id;
    CHECK(postgres::take_test_send(ledger.pool, 0ms)->id == id);
    CHECK(ledger.status(id) == "UNKNOWN");
    CHECK_FALSE(postgres::take_test_send(ledger.pool, 30s));
    // An answer that comes late is still true.
    postgres::finish_test_send(ledger.pool, id, domain::Ending::sent, 200, "");
    CHECK(ledger.status(id) == "SENT");
}

TEST_CASE("test messages are forgotten after a day") {
    TestSends ledger;
    const auto old = ledger.insert()->id;
    const auto recent = ledger.insert()->id;
    ledger.rows("UPDATE test_sends SET created_at = created_at - interval '1 day' WHERE id = $1", old);
    CHECK(postgres::take_test_send(ledger.pool, 30s)->id == recent);
    CHECK_FALSE(postgres::find_test_send(ledger.pool, old));
    CHECK(ledger.status(recent) == "SENDING");
}
