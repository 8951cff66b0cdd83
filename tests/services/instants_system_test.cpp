// When people are greeted: at their own 09:00, not a moment before, and once, whatever they change meanwhile.

#include <catch2/catch.hpp>
#include <map>
#include <set>

#include "libcore/json/delivery.hpp"
#include "tests/support/http_client.hpp"
#include "tests/support/system/system.hpp"

namespace {

using namespace std::chrono_literals;
using domain::Status;
using support::Comparison;
using support::eventually;
using support::metric;
using support::System;

// One zone of each offset on 10 March 2027.
const std::vector<std::string> zones{
    "Etc/GMT+12",         "Pacific/Pago_Pago",   "Pacific/Honolulu", "Pacific/Marquesas",
    "America/Anchorage",  "America/Los_Angeles", "America/Denver",   "America/Chicago",
    "America/New_York",   "America/Halifax",     "America/St_Johns", "America/Sao_Paulo",
    "America/Noronha",    "Atlantic/Azores",     "Europe/London",    "Europe/Paris",
    "Europe/Athens",      "Europe/Moscow",       "Asia/Tehran",      "Asia/Dubai",
    "Asia/Kabul",         "Asia/Tashkent",       "Asia/Kolkata",     "Asia/Kathmandu",
    "Asia/Dhaka",         "Asia/Yangon",         "Asia/Bangkok",     "Asia/Shanghai",
    "Australia/Eucla",    "Asia/Tokyo",          "Australia/Darwin", "Australia/Brisbane",
    "Australia/Adelaide", "Australia/Sydney",    "Pacific/Fiji",     "Pacific/Auckland",
    "Pacific/Chatham",    "Pacific/Kiritimati"};

/// Without a worker: one message that fell due at 09:00 UTC and waits in the queue.
struct Queued {
    Queued() : scheduler(system.start("scheduler-svc")) {
        system.add({});
        system.set_clock("2027-03-10T09:00:00Z");
        REQUIRE(eventually([&] { return system.count(Status::queued) == 1; }));
        hint = json::encode(system.only_row().hint);
        REQUIRE(system.broker.ready(queue) == 1U);
    }

    System system{System::Provider::naive};
    support::Service scheduler;
    const std::string queue = system.queue();
    std::string hint;
};

}  // namespace

TEST_CASE("every zone from UTC-12 to UTC+14 receives at its 09:00 and nothing before (H01 H02)") {
    constexpr double factor = 12'000;
    constexpr int people = 5;
    System system(System::Provider::naive);
    system.sql.execute("UPDATE message_types SET max_lateness = '30 days'");  // two days pass in seconds
    system.set_clock("2027-03-09T06:00:00Z", factor);
    for (const auto& zone : zones) system.add({.count = people, .zone = zone});
    const auto scheduler = system.start("scheduler-svc");
    const auto worker = system.start("worker-svc");

    const auto expected = people * static_cast<int>(zones.size());
    REQUIRE(system.sent(expected));
    CHECK(system.compare() == Comparison{.delivered = expected});

    std::map<std::string, domain::Instant> instants;
    std::set<domain::Instant> distinct;
    for (const auto& row : system.ledger()) {
        CHECK(row.local_time == "2027-03-10 09:00");
        instants[row.key] = row.instant;
        distinct.insert(row.instant);
    }
    CHECK(distinct.size() == zones.size());
    for (const auto& request : system.requests()) {
        const auto lateness = system.instant_of(request) - instants.at(request.key);
        CHECK(std::chrono::duration<double>(lateness) / factor < 5s);
    }
}

TEST_CASE("a hint published before the zone moved three hours on sends nothing early (H01)") {
    Queued q;
    q.system.broker.put(q.queue, q.hint);
    q.system.sql.execute("UPDATE users SET timezone = 'Etc/GMT+3'");
    const auto moved = q.system.only_row();
    CHECK(moved.status == Status::scheduled);
    CHECK(moved.local_time == "2027-03-10 09:00");
    q.system.broker.put(q.queue, q.hint);

    const auto worker = q.system.start("worker-svc");
    REQUIRE(eventually([&] { return metric(worker, R"(hints_total{result="nothing_to_claim"})") == 3; }));
    CHECK(q.system.requests().empty());

    q.system.set_clock("2027-03-10T11:59:58Z");
    q.system.broker.put(q.queue, q.hint);
    REQUIRE(q.system.sent(1));
    CHECK(q.system.compare() == Comparison{.delivered = 1});
    CHECK(domain::to_string(q.system.only_row().instant) == "2027-03-10T12:00:00Z");
}

TEST_CASE("a message planned for the person as they were is planned anew instead of sent (H01)") {
    Queued q;
    q.system.sql.execute("ALTER TABLE users DISABLE TRIGGER replan_changed_users");
    q.system.sql.execute("UPDATE users SET timezone = 'Etc/GMT+3'");
    REQUIRE(q.system.only_row().status == Status::queued);

    const auto worker = q.system.start("worker-svc");
    REQUIRE(eventually([&] { return q.system.only_row().status == Status::scheduled; }));
    CHECK(metric(worker, R"(hints_total{result="outdated"})") == 1);
    CHECK(q.system.requests().empty());

    q.system.set_clock("2027-03-10T11:59:58Z");
    REQUIRE(q.system.sent(1));
    CHECK(q.system.compare() == Comparison{.delivered = 1});
    CHECK(domain::to_string(q.system.only_row().instant) == "2027-03-10T12:00:00Z");
}

namespace {

/// People who are named by their story.
class People {
public:
    explicit People(int api_port) : client_(api_port) {}

    void create(const std::string& name, const std::string& birthday) {
        const auto reply =
            call("POST", "/api/v1/users",
                 R"({"firstName": "Ada", "lastName": "Lovelace", "timezone": "UTC", "email": ")" + name +
                     R"(@example.com", "birthdayDate": ")" + birthday + R"("})",
                 201);
        locations_[name] = reply.header("location");
    }
    void set_birthday(const std::string& name, const std::string& date) {
        patch(name, R"({"birthdayDate": ")" + date + R"("})");
    }
    void set_zone(const std::string& name, const std::string& zone) {
        patch(name, R"({"timezone": ")" + zone + R"("})");
    }
    void patch(const std::string& name, const std::string& body) {
        call("PATCH", locations_.at(name), body, 200);
    }
    void remove(const std::string& name) { call("DELETE", locations_.at(name), "", 204); }

private:
    support::HttpReply call(const std::string& method, const std::string& target, const std::string& body,
                            int status) {
        auto reply = client_.request(method, target, body, {{"Content-Type", "application/json"}});
        CAPTURE(method, target, body, reply.body);
        REQUIRE(reply.status == status);
        return reply;
    }

    support::HttpClient client_;
    std::map<std::string, std::string> locations_;
};

}  // namespace

TEST_CASE("whatever a person changes leaves one message at the right instant or none (H07)") {
    const std::string today = "1990-03-10";
    const std::string tomorrow = "1990-03-11";
    const std::string summer = "1990-07-01";
    System system(System::Provider::naive);
    system.set_clock("2027-03-10T06:00:00Z", 0);
    const auto api = system.start("api-svc");
    const auto scheduler = system.start("scheduler-svc");
    const auto worker = system.start("worker-svc");
    People people(api.port());

    people.create("birthday-to-today", summer);
    people.set_birthday("birthday-to-today", today);
    people.create("birthday-away-and-back", today);
    people.set_birthday("birthday-away-and-back", summer);
    people.set_birthday("birthday-away-and-back", today);
    people.create("birthday-to-tomorrow", today);
    people.set_birthday("birthday-to-tomorrow", tomorrow);
    people.create("birthday-removed", today);
    people.patch("birthday-removed", R"({"birthdayDate": null})");
    people.create("zone-to-the-west", today);
    people.set_zone("zone-to-the-west", "America/New_York");
    people.create("zone-west-and-back", today);
    people.set_zone("zone-west-and-back", "America/New_York");
    people.set_zone("zone-west-and-back", "UTC");
    people.create("zone-past-its-hour", today);
    people.set_zone("zone-past-its-hour", "Asia/Tokyo");  // it is still owed, and due at once
    people.create("deleted", today);
    people.remove("deleted");
    people.create("opted-out", today);
    people.patch("opted-out", R"({"optedOut": true})");
    people.create("opted-out-and-in", today);
    people.patch("opted-out-and-in", R"({"optedOut": true})");
    people.patch("opted-out-and-in", R"({"optedOut": false})");
    people.create("greeted-and-then-changed", today);
    people.create("greeted-and-then-moved-west", today);

    REQUIRE(system.sent(1));
    system.set_clock("2027-03-10T08:59:59Z");
    REQUIRE(system.delivered(7));
    system.set_clock("2027-03-10T10:00:00Z", 0);
    REQUIRE(eventually([&] { return system.count(Status::sent) == 7; }));
    people.set_birthday("greeted-and-then-changed", summer);
    people.set_birthday("greeted-and-then-changed", today);
    people.set_zone("greeted-and-then-moved-west", "America/New_York");

    system.set_clock("2027-03-10T10:00:00Z", 12'000);
    REQUIRE(system.sent(9));
    REQUIRE(eventually([&] { return system.count(Status::scheduled) == 0; }));
    CHECK(system.count(Status::queued) + system.count(Status::sending) == 0);

    std::map<std::string, domain::Instant> instants;
    for (const auto& row : system.ledger()) instants[row.key] = row.instant;
    std::multimap<std::string, std::string> greeted;
    for (const auto& request : system.requests()) {
        greeted.emplace(request.email.substr(0, request.email.find('@')),
                        domain::to_string(instants.at(request.key)));
    }
    CHECK(greeted ==
          std::multimap<std::string, std::string>{{"birthday-to-today", "2027-03-10T09:00:00Z"},
                                                  {"birthday-away-and-back", "2027-03-10T09:00:00Z"},
                                                  {"birthday-to-tomorrow", "2027-03-11T09:00:00Z"},
                                                  {"zone-to-the-west", "2027-03-10T14:00:00Z"},
                                                  {"zone-past-its-hour", "2027-03-10T00:00:00Z"},
                                                  {"zone-west-and-back", "2027-03-10T09:00:00Z"},
                                                  {"opted-out-and-in", "2027-03-10T09:00:00Z"},
                                                  {"greeted-and-then-changed", "2027-03-10T09:00:00Z"},
                                                  {"greeted-and-then-moved-west", "2027-03-10T09:00:00Z"}});
    CHECK(system.compare().early == 0);
}
