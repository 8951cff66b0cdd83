// After an outage of every pass: what is not too late goes out, in the words for the day it is, and the rest
// is told.
#include <catch2/catch.hpp>

#include "tests/libcore/postgres/ledger.hpp"
#include "tests/support/oracle/civil_time.hpp"
#include "tests/support/oracle/occasions.hpp"

namespace {

const std::vector<std::string> zones{
    "UTC",          "Europe/Berlin",  "America/New_York",    "Pacific/Kiritimati",
    "Pacific/Niue", "Asia/Kathmandu", "Australia/Lord_Howe", "Asia/Tokyo"};

struct Outage {
    std::string across;
    domain::Instant from;
    std::chrono::minutes length;
    std::chrono::minutes allowed = 48h;  ///< max_lateness
};

/// In each zone somebody with a birthday on every day that the outage may touch, before it and after it.
std::vector<domain::UserFields> people_around(const Outage& outage) {
    std::vector<domain::UserFields> people;
    const auto first = std::chrono::floor<std::chrono::days>(outage.from) - std::chrono::days(2);
    const auto last =
        std::chrono::floor<std::chrono::days>(outage.from + outage.length) + std::chrono::days(3);
    for (const auto& zone : zones)
        for (auto day = first; day <= last; day += std::chrono::days(1)) {
            const domain::Date date = day;
            people.push_back(Ledger::born(1992y / date.month() / date.day(), zone));
            people.back().email = zone + domain::to_string(date) + "@example.com";
        }
    return people;
}

/// Everything that is due goes out, as the scheduler and a worker would do it.
std::map<std::string, std::string> deliver(Ledger& ledger, int& missed) {
    std::map<std::string, std::string> texts;
    for (;;) {
        std::vector<domain::Delivery> hints;
        const auto report =
            postgres::dispatch(ledger.pool, 50, [&](std::span<const domain::Delivery> published) {
                hints.assign(published.begin(), published.end());
            });
        missed += report.missed;
        if (report.total() == 0) return texts;
        for (const auto& claimed : ledger.claim(hints).claimed)
            CHECK(texts.emplace(claimed.recipient_email, claimed.content).second);
    }
}

}  // namespace

TEST_CASE(
    "after an outage what is not too late is sent in the words of its day and the rest is recorded as "
    "missed") {
    const auto outage = GENERATE(values<Outage>({
        {"midnight UTC, a minute", at(2027y / 2 / 26, 23h + 59min + 30s), 1min},
        {"nine in Berlin, a minute", at(2027y / 2 / 26, 7h + 59min + 30s), 1min},
        {"midnight UTC, 25 hours", at(2027y / 2 / 26, 12h), 25h},
        {"the end of winter time, 25 hours", at(2027y / 3 / 27, 12h), 25h},
        {"the end of summer time, 25 hours", at(2027y / 10 / 30, 12h), 25h},
        {"New Year, 25 hours", at(2026y / 12 / 31, 6h), 25h},
        {"the end of winter time, 3 days", at(2027y / 3 / 26, 5h), 72h},
        {"New Year, 3 days", at(2026y / 12 / 30, 20h), 72h},
        {"29 February, 3 days", at(2028y / 2 / 27, 20h), 72h},
        {"the end of summer time, 10 days", at(2027y / 10 / 25, 3h), 240h},
        {"New Year, 10 days", at(2026y / 12 / 26, 3h), 240h},
        {"New Year, 10 days, all of them allowed", at(2026y / 12 / 26, 3h), 240h, 20 * 24h},
        {"midnight UTC, 25 hours, an hour allowed", at(2027y / 2 / 26, 12h), 25h, 60min},
    }));
    CAPTURE(outage.across);
    Ledger ledger(outage.from);
    ledger.execute("UPDATE message_types SET late_template = 'Belated, {first_name}', max_lateness = '" +
                   std::to_string(outage.allowed.count()) + " minutes'");
    const auto people = people_around(outage);
    ledger.add_unplanned(people, domain::to_string(outage.from));
    ledger.plan();

    const auto back = outage.from + outage.length;
    ledger.set_clock(back);
    ledger.plan();
    int missed = 0;
    const auto texts = deliver(ledger, missed);

    std::size_t in_time = 0, too_late = 0;
    for (const auto& person : people) {
        for (const auto& owed : oracle::occasions(person, outage.from, back)) {
            CAPTURE(owed.email, domain::to_string(owed.instant));
            const auto sent = texts.find(owed.email);
            if (back > owed.instant + outage.allowed) {
                ++too_late;
                CHECK(sent == texts.end());
                continue;
            }
            ++in_time;
            REQUIRE(sent != texts.end());
            const auto now_there = oracle::Zone(owed.timezone).wall_time_at(back);
            const bool day_has_passed = now_there >= oracle::wall_time(owed.delivery_date, 24h);
            CHECK(sent->second == (day_has_passed ? "Belated, Ada" : owed.text));
        }
    }
    CHECK(in_time + too_late > 0);
    CHECK(texts.size() == in_time);
    CHECK(missed == static_cast<int>(too_late));
    CHECK(ledger.value<int>(
              "SELECT count(*) FROM message_logs WHERE status = 'MISSED' AND attention_at IS NOT NULL") ==
          static_cast<int>(too_late));
    CHECK(ledger.value<int>(
              "SELECT count(*) FROM message_logs WHERE status = 'MISSED' AND due_at IS NOT NULL") == 0);
    CHECK(ledger.value<int>("SELECT count(*) FROM message_logs WHERE due_at <= app_now()") == 0);
    if (outage.length >= 25h) CHECK(in_time + too_late >= zones.size());
    if (outage.length > outage.allowed) CHECK(too_late > 0);
}

TEST_CASE("a message at the very end of what its type allows is sent and a microsecond later it is missed") {
    const auto beyond = GENERATE(0us, 1us);
    Ledger ledger(at(2027y / 2 / 26, 12h));
    const auto user = ledger.add(Ledger::born(1990y / 2 / 27));
    ledger.set_clock(at(2027y / 3 / 1, 9h) + beyond);
    const auto claimed = ledger.claim(ledger.dispatch()).claimed;
    CHECK(claimed.size() == (beyond == 0us ? 1 : 0));
    CHECK(ledger.message(user).status == (beyond == 0us ? "SENDING" : "MISSED"));
}

TEST_CASE(
    "a message that grows too late in the queue is missed at the claim, or unknown if the provider may have "
    "it") {
    const bool in_doubt = GENERATE(false, true);
    Ledger ledger(at(2027y / 2 / 27, 9h));
    const auto user = ledger.people_due(1).front();
    if (in_doubt) ledger.execute("UPDATE message_logs SET status = 'RETRYING', attempt = 1, in_doubt = true");
    const auto hints = ledger.dispatch();
    REQUIRE(hints.size() == 1);
    ledger.set_clock(at(2027y / 3 / 1, 9h) + 1us);
    const auto report = ledger.claim(hints);
    CHECK(report.claimed.empty());
    CHECK(report.missed == 1);
    CHECK(ledger.message(user).status == (in_doubt ? "UNKNOWN" : "MISSED"));
    CHECK(ledger.message(user).needs_attention);
}
