// After an outage of the scheduler: what is not too late goes out, in the words for the day it is; the rest
// is missed, counted, and explained to whoever asks.

#include <catch2/catch.hpp>
#include <map>

#include "libcore/json/parser.hpp"
#include "tests/services/drill.hpp"
#include "tests/support/oracle/civil_time.hpp"
#include "tests/support/oracle/occasions.hpp"

using namespace drill;

namespace {

struct Outage {
    std::string across;
    domain::Instant from;
    std::chrono::hours length;
};

constexpr auto allowed = 48h;  // max_lateness, as it is by default
constexpr auto reach = 28h;    // as far as adding somebody plans, farther than the planner

domain::Instant at(const domain::Date& day, std::chrono::minutes time) {
    return std::chrono::sys_days(day) + time;
}

constexpr postgres::Statement units_left{"units_left", "SELECT count(*) FROM units_due('26 hours')"};

/// In each zone somebody with a birthday on every day that the outage may touch, before it and after it.
std::vector<domain::UserFields> add_people_around(System& system, const Outage& outage) {
    std::vector<domain::UserFields> people;
    const auto first = std::chrono::floor<std::chrono::days>(outage.from) - std::chrono::days(1);
    const auto last =
        std::chrono::floor<std::chrono::days>(outage.from + outage.length) + std::chrono::days(2);
    for (const std::string zone : {"UTC", "Europe/Berlin", "America/New_York", "Pacific/Kiritimati",
                                   "Pacific/Niue", "Asia/Kathmandu"}) {
        for (auto day = first; day <= last; day += std::chrono::days(1)) {
            const domain::Date date = day;
            domain::UserFields person;
            person.timezone = zone;
            person.birthday_date = 1992y / date.month() / date.day();
            system.add({.zone = zone, .birthday = domain::to_string(*person.birthday_date)});
            people.push_back(person);
            people.back().email = "ada" + std::to_string(people.size()) + "@example.com";
        }
    }
    return people;
}

json::Value get(const support::Service& api, const std::string& path) {
    const auto reply = support::http_get(api.port(), path);
    CAPTURE(path, reply.body);
    REQUIRE(reply.status == 200);
    return json::parse(reply.body).value();
}

std::string explained(const json::Value& body, const char* what) {
    return *body.find("explanation")->find(what)->string();
}

}  // namespace

TEST_CASE(
    "after an outage the services send what is not too late, and count and explain what they missed (H03)") {
    const auto outage = GENERATE(values<Outage>({
        {"midnight UTC, 25 hours", at(2027y / 3 / 9, 20h), 25h},
        {"New Year, 25 hours", at(2026y / 12 / 31, 6h), 25h},
        {"midnight UTC, 3 days", at(2027y / 3 / 9, 20h), 72h},
        {"New Year, 3 days", at(2026y / 12 / 30, 5h), 72h},
    }));
    CAPTURE(outage.across);
    System system;
    system.set_clock(domain::to_string(outage.from), 0);
    system.sql.execute("UPDATE message_types SET late_template = 'Belated, {first_name}'");
    const auto people = add_people_around(system, outage);
    {
        auto scheduler = system.start("scheduler-svc");
        REQUIRE(eventually([&] { return system.sql.run(units_left).front().get<int>(0) == 0; }));
        scheduler.kill();
    }
    REQUIRE(system.requests().empty());

    const auto back = outage.from + outage.length;
    system.set_clock(domain::to_string(back), 0);
    const auto worker = system.start("worker-svc");
    const auto scheduler = system.start("scheduler-svc");
    std::vector<oracle::Occasion> owed;
    for (const auto& person : people)
        for (const auto& one : oracle::occasions(person, outage.from, back)) owed.push_back(one);
    const auto is_too_late = [&](const oracle::Occasion& one) { return back > one.instant + allowed; };
    const auto too_late = static_cast<int>(std::ranges::count_if(owed, is_too_late));
    REQUIRE(system.sent(static_cast<int>(owed.size()) - too_late));
    REQUIRE(eventually([&] { return system.count(Status::missed) == too_late; }));
    CHECK((too_late > 0) == (outage.length > allowed));
    // One that was already in the queue is missed by the worker that takes it.
    const auto counted = [&] {
        return metric(scheduler, "messages_missed_total") + metric(worker, R"(hints_total{result="missed"})");
    };
    CHECK(eventually([&] { return counted() == too_late; }));

    std::map<std::string, std::string> texts;
    for (const auto& request : system.requests()) CHECK(texts.emplace(request.email, request.message).second);
    CHECK(texts.size() == owed.size() - static_cast<std::size_t>(too_late));

    const auto api = system.start("api-svc");
    std::map<std::string, support::LedgerRow> rows;
    for (const auto& row : system.ledger()) rows.emplace(row.email, row);
    int belated = 0;
    for (const auto& one : owed) {
        CAPTURE(one.email, domain::to_string(one.instant));
        REQUIRE(rows.contains(one.email));
        const auto& row = rows.at(one.email);
        const auto user = row.key.substr(0, row.key.find(':'));
        const auto message = get(api, "/api/v1/messages/" + domain::to_string(row.hint.message_id));
        const auto day = get(api, "/api/v1/users/" + user + "/explanation?type=BIRTHDAY&date=" +
                                      domain::to_string(one.delivery_date));
        const std::string code = is_too_late(one)            ? "missed"
                                 : back - one.instant < 1min ? "sent"
                                                             : "sent_late";
        CHECK(explained(message, "code") == code);
        CHECK(explained(day, "code") == code);
        const bool planned_late =
            explained(message, "text").find("the planner was behind") != std::string::npos;
        if (code != "sent") CHECK(planned_late == (one.instant >= outage.from + reach));
        if (is_too_late(one)) continue;
        const bool day_has_passed =
            oracle::Zone(one.timezone).wall_time_at(back) >= oracle::wall_time(one.delivery_date, 24h);
        CHECK((texts.at(one.email) == "Belated, Ada") == day_has_passed);
        belated += day_has_passed ? 1 : 0;
    }
    CHECK(belated > 0);
}
