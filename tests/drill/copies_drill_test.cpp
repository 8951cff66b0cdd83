// Copies of hints: whatever the queue holds more than once or too late, the ledger decides once.

#include <catch2/catch.hpp>
#include <iterator>

#include "tests/drill/faults.hpp"

namespace {

using namespace drill;

/// Takes the hints that were published for the people there are, and gives them back to nobody.
std::vector<std::string> take_hints(System& system, int count) {
    REQUIRE(eventually([&] { return system.count(Status::queued) == count; }));
    std::vector<std::string> hints;
    for (int n = 0; n < count; ++n) hints.push_back(system.broker.take(system.queue()).value());
    return hints;
}

/// What makes a published hint stale, by the number of the person whose it is.
constexpr const char* changes[] = {
    "UPDATE message_logs m SET attempt = attempt + 1 FROM users u WHERE u.id = m.user_id AND email LIKE "
    "'ada1@%'",
    "UPDATE users SET timezone = 'America/New_York' WHERE email LIKE 'ada2@%'",
    "UPDATE users SET opted_out = true WHERE email LIKE 'ada3@%'",
    "UPDATE message_logs m SET status = 'SENT', actual_send_time = app_now() FROM users u "
    "WHERE u.id = m.user_id AND email LIKE 'ada4@%'",
    "UPDATE message_logs m SET status = 'MISSED', attention_at = app_now() FROM users u "
    "WHERE u.id = m.user_id AND email LIKE 'ada5@%'",
    "DELETE FROM message_logs m USING users u WHERE u.id = m.user_id AND email LIKE 'ada6@%'",
};
constexpr int kinds = std::size(changes);

}  // namespace

TEST_CASE("a stale copy of whichever kind sends nothing") {
    System system(Provider::naive);
    auto scheduler = system.start("scheduler-svc");
    system.add({.count = kinds + 1});
    system.set_clock(nine);
    const auto hints = take_hints(system, kinds + 1);
    scheduler.stop();
    for (const auto* change : changes) system.sql.execute(change);
    const auto worker = system.start("worker-svc", patient);
    for (int copy = 0; copy < 3; ++copy)
        for (const auto& hint : hints) system.broker.put(system.queue(), hint);
    // Of the last person's three copies, which are not stale, one is claimed.
    REQUIRE(system.delivered(1));
    REQUIRE(eventually([&] { return metric(worker, nothing_to_claim) == 3 * kinds + 2; }));
    REQUIRE(system.requests().size() == 1);
    CHECK(system.requests().front().email == "ada" + std::to_string(kinds + 1) + "@example.com");
}

TEST_CASE("a hint that comes ten times, to two workers, is one request") {
    constexpr int people = 100;
    System system(Provider::naive);
    Faults faults(system);
    const auto scheduler = system.start("scheduler-svc", {{"QUEUE_LOST_AFTER", "10m"}});
    system.add({.count = people});
    system.set_clock(nine);
    const auto hints = take_hints(system, people);
    for (int copy = 0; copy < 10; ++copy)
        for (const auto& hint : hints) system.broker.put(system.queue(), hint);
    system.provider.play(R"({"rules": [{"delay_ms": 20}]})");
    const auto one = system.start("worker-svc", patient);
    const auto other = system.start("worker-svc", patient);
    REQUIRE(system.sent(people));
    const auto copies = [&] { return metric(one, nothing_to_claim) + metric(other, nothing_to_claim); };
    CHECK(eventually([&] { return system.broker.ready(system.queue()) == 0U && copies() > 0; }));
    CHECK(system.requests().size() == people);
    CHECK(faults.verdict().holds());
}
