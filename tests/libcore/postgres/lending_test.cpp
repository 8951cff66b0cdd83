#include "libcore/postgres/lending.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <string>

using namespace std::chrono_literals;
using postgres::CloseReason;
using postgres::Lending;
using postgres::PoolSettings;
using Answer = Lending::Answer;
using Closing = Lending::Closing;
using Reason = Lending::Reason;
using Use = Lending::Use;

namespace {

/// A pool at a moment, and those who may ask it: people are numbers.
struct Desk {
    explicit Desk(const PoolSettings& settings) : lending(settings, 1) {}

    Answer ask(int person, Lending::Duration patience = 3s, Use use = Use::ordinary) {
        actions = {};
        return lending.ask({who(person), use, now + patience, now}, now, actions);
    }

    /// Asks, opens if it has to, and gives the place.
    int lend(int person, Use use = Use::ordinary) {
        const auto answer = ask(person, 3s, use);
        REQUIRE(std::holds_alternative<Lending::Grant>(answer));
        const auto grant = std::get<Lending::Grant>(answer);
        if (grant.open) lending.opened(grant.place, now, actions = {});
        return grant.place;
    }

    void release(int place, bool usable = true) { lending.release(place, usable, now, actions = {}); }

    void pass(Lending::Duration span) {
        now += span;
        lending.tick(now, actions = {});
    }

    /// As long as there is something to do, it is done.
    void keep_house(Lending::Duration span) {
        for (const auto end = now + span; now < end;) {
            now = std::max(now, std::min(end, lending.due()));
            lending.tick(now, actions = {});
            finish();
        }
    }

    void finish() {
        while (actions.open || actions.check || !actions.close.empty()) {
            const auto todo = actions;
            actions = {};
            if (todo.open) lending.opened(*todo.open, now, actions), ++opened_ahead;
            if (todo.check) lending.validated(*todo.check, true, now, actions), ++checks;
            for (const auto& it : todo.close) lending.closed(it.place, now, actions), ++closed;
        }
    }

    std::string granted() const {
        std::string people;
        for (const auto& [person, grant] : actions.granted)
            people += std::to_string(number(person)) + (grant.open ? " opens " : " gets ");
        return people;
    }
    std::string refused() const {
        std::string people;
        for (const auto& [person, refusal] : actions.refused)
            people += std::to_string(number(person)) + (refusal.reason == Reason::shed ? " shed " : " ");
        return people;
    }

    static void* who(int person) { return reinterpret_cast<void*>(static_cast<std::intptr_t>(person)); }
    static int number(void* person) { return static_cast<int>(reinterpret_cast<std::intptr_t>(person)); }

    Lending::Time now{1'000s};
    Lending lending;
    Lending::Actions actions;
    int opened_ahead = 0, checks = 0, closed = 0;
};

bool waits(const Answer& answer) {
    return std::holds_alternative<Lending::Waits>(answer);
}

bool is_refused(const Answer& answer, Reason reason) {
    const auto* refusal = std::get_if<Lending::Refusal>(&answer);
    return refusal && refusal->reason == reason && refusal->retry_after >= 1s;
}

bool opens(const Answer& answer) {
    const auto* grant = std::get_if<Lending::Grant>(&answer);
    return grant && grant->open;
}

}  // namespace

TEST_CASE("a connection whose borrower does not wait for it keeps its place and is for whoever comes") {
    Desk desk({.max = 1, .min = 0});
    const auto place = std::get<Lending::Grant>(desk.ask(1)).place;
    desk.lending.abandon_opening(place, desk.now, desk.actions = {});
    CHECK(desk.lending.state().active == 0);
    CHECK(desk.lending.state().total == 1);
    CHECK(waits(desk.ask(2)));
    SECTION("it comes") {
        desk.lending.opened(place, desk.now, desk.actions = {});
        CHECK(desk.granted() == "2 gets ");
        desk.release(place);
        CHECK(desk.lending.state().idle == 1);
    }
    SECTION("it does not come") {
        desk.lending.failed(place, desk.now, desk.actions = {});
        CHECK(desk.refused() == "2 ");
        CHECK(desk.lending.state().total == 0);
    }
    SECTION("another comes first, where there is room") {
        desk.lending.resize(2, 0, desk.now, desk.actions = {});
        CHECK(desk.granted() == "2 opens ");
    }
}

TEST_CASE("what was used last is lent first") {
    Desk desk({.max = 3});
    const int first = desk.lend(1), second = desk.lend(2), third = desk.lend(3);
    desk.release(second);
    desk.pass(1ms);
    desk.release(third);
    desk.pass(1ms);
    desk.release(first);
    CHECK(desk.lend(4) == first);
    CHECK(desk.lend(5) == third);
    CHECK(desk.lend(6) == second);
}

TEST_CASE("those who wait are served in the order in which they came, and nobody overtakes them") {
    Desk desk({.max = 1});
    const int place = desk.lend(1);
    for (int person = 2; person < 6; ++person) CHECK(waits(desk.ask(person)));
    desk.release(place);
    CHECK(desk.granted() == "2 gets ");
    CHECK(waits(desk.ask(6)));
    desk.release(place, false);
    CHECK(desk.granted() == "3 opens ");
    CHECK(desk.lending.state().waiting == 3);
}

TEST_CASE("who gives up is skipped, and told to come back later the longer he has waited") {
    Desk desk({.max = 1});
    const int place = desk.lend(1);
    desk.ask(2);
    desk.ask(3, 5s);
    desk.now += 3s;
    CHECK(desk.lending.give_up(Desk::who(2), desk.now).retry_after == 6s);
    desk.release(place);
    CHECK(desk.granted() == "3 gets ");
}

TEST_CASE("whose time is up is not served any more") {
    Desk desk({.max = 1});
    const int place = desk.lend(1);
    desk.ask(2, 1s);
    desk.ask(3, 1s);
    desk.ask(4, 5s);
    desk.now += 1s;
    desk.release(place);
    CHECK(desk.refused() == "2 3 ");
    CHECK(desk.granted() == "4 gets ");
}

TEST_CASE("so many may wait, and the next is refused at once") {
    Desk desk({.max = 1, .max_waiting = 2});
    desk.lend(1);
    CHECK(waits(desk.ask(2)));
    CHECK(waits(desk.ask(3)));
    CHECK(is_refused(desk.ask(4), Reason::full));
    CHECK(waits(desk.ask(5, 3s, Use::reserved)));
}

TEST_CASE("unless it is said, ten may wait for each connection, and 64 in any case") {
    const auto [max, most] = GENERATE(std::pair(1, 64), std::pair(20, 200));
    Desk desk({.max = max, .reserve = 0, .connects_at_once = 0, .connects_per_second = 0});
    for (int person = 0; person < max; ++person) desk.lend(person + 1);
    for (int person = 0; person < most; ++person) REQUIRE(waits(desk.ask(1'000 + person)));
    CHECK(is_refused(desk.ask(5'000), Reason::full));
}

TEST_CASE("whoever comes after his deadline is refused, unless there is one for him") {
    Desk desk({.max = 1});
    const int place = desk.lend(1);
    CHECK(is_refused(desk.ask(2, 0ms), Reason::late));
    desk.release(place);
    CHECK(std::holds_alternative<Lending::Grant>(desk.ask(3, 0ms)));
}

TEST_CASE("who cannot be served before his deadline is told so at once") {
    Desk desk({.max = 2});
    const auto answer = desk.ask(1);
    desk.lending.failed(std::get<Lending::Grant>(answer).place, desk.now, desk.actions);
    CHECK(is_refused(desk.ask(2, 10ms), Reason::unreachable));  // the next attempt is in 25 ms at least
    CHECK(waits(desk.ask(3, 60ms)));
}

TEST_CASE("a line that has been too long for a second is cut to those who have not waited long") {
    Desk desk({.max = 2});
    const int place = desk.lend(1);
    desk.lend(2);
    int person = 10;
    for (auto passed = 0ms; passed < 1'060ms; passed += 20ms) {
        desk.pass(20ms);
        desk.ask(person++);
    }
    // They came 20 ms apart, the first of them 1040 ms ago.
    desk.pass(20ms);
    CHECK(desk.refused().find("10 shed 11 shed ") == 0);
    CHECK(desk.lending.state().waiting == 4);
    desk.release(place);
    CHECK(desk.granted() == std::to_string(person - 4) + " gets ");

    CHECK(is_refused(desk.ask(person, 40ms), Reason::shed));
    CHECK(waits(desk.ask(person, 60ms)));
}

TEST_CASE("those who wait for a slow one to finish are not shed as long as they are few") {
    Desk desk({.max = 2});
    desk.lend(1);
    desk.lend(2);
    desk.ask(3);
    desk.ask(4);
    for (int i = 0; i < 28; ++i) {
        desk.pass(100ms);
        CHECK(desk.refused().empty());
    }
    CHECK(desk.lending.state().waiting == 2);
}

TEST_CASE("the reserve is kept for those whom it is for") {
    Desk desk({.max = 4});
    desk.lend(1);
    desk.lend(2);
    const int third = desk.lend(3);
    CHECK(waits(desk.ask(4)));
    const int fourth = desk.lend(5, Use::reserved);
    CHECK(waits(desk.ask(6, 3s, Use::reserved)));

    desk.release(third);
    CHECK(desk.granted() == "6 gets ");  // before the one who came earlier
    desk.release(fourth);
    CHECK(desk.granted() == "4 gets ");
}

TEST_CASE("a pool of three or fewer keeps no reserve unless it is told to") {
    Desk desk({.max = 3});
    desk.lend(1);
    desk.lend(2);
    desk.lend(3);
    Desk told({.max = 3, .reserve = 2});
    told.lend(1);
    CHECK(waits(told.ask(2)));
}

TEST_CASE("who finds that his connection had died is not sent to the end of the line") {
    Desk desk({.max = 1, .connects_per_second = 1});
    const int place = desk.lend(1);
    desk.release(place);
    const Lending::Ask ask{Desk::who(2), Use::ordinary, desk.now + 3s, desk.now};
    REQUIRE(std::holds_alternative<Lending::Grant>(desk.lending.ask(ask, desk.now, desk.actions)));
    CHECK(waits(desk.ask(3)));
    CHECK(waits(desk.lending.found_dead(place, ask, desk.now, desk.actions)));  // one a second is opened
    desk.pass(1s);
    CHECK(desk.granted() == "2 opens ");
}

TEST_CASE("who finds too late that his connection had died is given no other") {
    Desk desk({.max = 2});
    const int first = desk.lend(1), second = desk.lend(2);
    desk.release(first);
    desk.release(second);
    const Lending::Ask late{Desk::who(3), Use::ordinary, desk.now + 1s, desk.now};
    const auto grant = std::get<Lending::Grant>(desk.lending.ask(late, desk.now, desk.actions = {}));
    desk.now += 1s;
    CHECK(is_refused(desk.lending.found_dead(grant.place, late, desk.now, desk.actions), Reason::late));
    CHECK(desk.lending.state().idle == 1);
}

TEST_CASE("when the last attempt fails and there is no connection, all who wait hear of it") {
    Desk desk({.max = 2});
    const int first = std::get<Lending::Grant>(desk.ask(1)).place;
    const int second = std::get<Lending::Grant>(desk.ask(2)).place;
    desk.ask(3);
    desk.ask(4);
    desk.lending.failed(first, desk.now, desk.actions = {});
    CHECK(desk.refused().empty());
    desk.lending.failed(second, desk.now, desk.actions = {});
    CHECK(desk.refused() == "3 4 ");
    CHECK(desk.lending.state().total == 0);
}

TEST_CASE("as long as there is a connection, those who wait go on waiting for it") {
    Desk desk({.max = 2});
    const int place = desk.lend(1);
    const int opening = std::get<Lending::Grant>(desk.ask(2)).place;
    desk.ask(3);
    desk.lending.failed(opening, desk.now, desk.actions = {});
    CHECK(desk.refused().empty());
    desk.release(place);
    CHECK(desk.granted() == "3 gets ");
}

TEST_CASE("after a failure whoever waits tries again when the pause is over") {
    Desk desk({.max = 1});
    desk.lending.failed(std::get<Lending::Grant>(desk.ask(1)).place, desk.now, desk.actions);
    CHECK(waits(desk.ask(2)));
    CHECK(desk.lending.due() - desk.now <= 50ms);
    desk.pass(50ms);
    CHECK(desk.granted() == "2 opens ");
}

TEST_CASE("the minimum is opened ahead, one after the other with pauses, and kept") {
    Desk desk({.max = 5, .min = 3});
    desk.keep_house(20ms);
    CHECK(desk.lending.state().idle == 1);
    desk.keep_house(1s);
    CHECK(desk.opened_ahead == 3);
    CHECK(desk.lending.state().idle == 3);

    desk.lend(1);
    desk.release(desk.lend(2), false);
    desk.keep_house(1s);
    CHECK(desk.opened_ahead == 4);
    CHECK(desk.lending.state().total == 3);
}

TEST_CASE("a server that is away is tried ahead ten times more seldom than for somebody who waits") {
    Desk desk({.max = 5, .min = 3, .circuit_failures = 0});
    int attempts = 0;
    for (const auto end = desk.now + 60s; desk.now < end; desk.now = std::max(desk.now, desk.lending.due())) {
        desk.lending.tick(desk.now, desk.actions = {});
        if (!desk.actions.open) continue;
        ++attempts;
        desk.lending.failed(*desk.actions.open, desk.now, desk.actions);
    }
    CHECK(attempts > 10);
    CHECK(attempts < 30);
}

TEST_CASE("as long as one rests, nobody is refused because no more can be opened") {
    Desk desk({.max = 5, .min = 2, .circuit_failures = 5});
    const int first = desk.lend(1);
    desk.release(first);
    int failures = 0;
    for (const auto end = desk.now + 1min; desk.now < end;) {
        desk.pass(desk.lending.due() - desk.now);
        if (desk.actions.check) desk.lending.validated(*desk.actions.check, true, desk.now, desk.actions);
        if (desk.actions.open) desk.lending.failed(*desk.actions.open, desk.now, desk.actions), ++failures;
    }
    CHECK(failures > 5);
    CHECK(desk.lend(2) == first);
}

TEST_CASE("connections above the minimum are closed when they have rested, the oldest first") {
    Desk desk(
        {.max = 4, .min = 1, .reserve = 0, .idle_timeout = 10s, .max_lifetime = 0ms, .health_check = 0ms});
    std::vector<int> places;
    for (int person = 1; person <= 4; ++person) places.push_back(desk.lend(person));
    for (const int place : places) {
        desk.pass(1s);
        desk.release(place);
    }
    desk.pass(7s);
    CHECK(desk.actions.close == std::vector{Closing{places[0], CloseReason::idle}});
    desk.finish();
    desk.pass(1s);
    CHECK(desk.actions.close == std::vector{Closing{places[1], CloseReason::idle}});
    desk.finish();
    desk.keep_house(1h);
    CHECK(desk.lending.state().total == 1);
    CHECK(desk.lend(9) == places[3]);
}

TEST_CASE("lifetimes end apart, each up to a tenth early, and the minimum is opened anew") {
    Desk desk({.max = 5, .min = 5, .max_lifetime = 100s, .health_check = 0ms});
    desk.keep_house(1s);
    desk.keep_house(88s);
    CHECK(desk.closed == 0);
    desk.keep_house(12s);
    CHECK(desk.closed == 5);
    CHECK(desk.opened_ahead == 10);
    CHECK(desk.lending.state().idle == 5);
}

TEST_CASE("a connection that comes back after its lifetime is closed, and its place is free after that") {
    Desk desk({.max = 1, .max_lifetime = 100s});
    const int place = desk.lend(1);
    desk.ask(2, 1h);
    desk.pass(100s);
    desk.release(place);
    CHECK(desk.actions.close == std::vector{Closing{place, CloseReason::lifetime}});
    CHECK(desk.granted().empty());
    CHECK(desk.lending.state().total == 1);
    desk.lending.closed(place, desk.now, desk.actions = {});
    CHECK(desk.granted() == "2 opens ");
}

TEST_CASE("a connection is lent so many times") {
    Desk desk({.max = 1, .max_uses = 3});
    for (int i = 0; i < 3; ++i) {
        CHECK(desk.actions.close.empty());
        desk.release(desk.lend(1));
    }
    CHECK(desk.actions.close.size() == 1);
}

TEST_CASE("what has rested is checked, one at a time, and keeps its place in the order of resting") {
    Desk desk({.max = 3, .min = 3, .health_check = 30s});
    const int first = desk.lend(1), second = desk.lend(2);
    desk.release(first);
    desk.keep_house(1s);  // the third is opened
    desk.release(second);

    desk.pass(29s);
    REQUIRE(desk.actions.check == first);
    CHECK(desk.lending.state().idle == 3);
    desk.pass(10s);
    CHECK_FALSE(desk.actions.check);
    desk.lending.validated(first, true, desk.now, desk.actions = {});
    desk.keep_house(1s);
    CHECK(desk.checks == 2);
    desk.lend(1);
    desk.lend(2);
    CHECK(desk.lend(3) == first);
}

TEST_CASE("what does not answer is opened anew") {
    Desk desk({.max = 2, .min = 1});
    desk.keep_house(1s);
    desk.pass(30s);
    REQUIRE(desk.actions.check);
    desk.lending.validated(*desk.actions.check, false, desk.now, desk.actions = {});
    CHECK(desk.lending.state().total == 0);
    desk.keep_house(1s);
    CHECK(desk.lending.state().total == 1);
    CHECK(desk.opened_ahead == 2);
}

TEST_CASE("an idle pool has little to do") {
    Desk desk({.max = 20, .min = 5});
    desk.keep_house(1s);
    int rounds = 0;
    for (const auto end = desk.now + 60s; desk.now < end; ++rounds) {
        desk.now = desk.lending.due();
        desk.lending.tick(desk.now, desk.actions = {});
        desk.finish();
    }
    CHECK(rounds <= 25);
}

TEST_CASE("a renewed pool closes what rests now and what is out when it comes back") {
    Desk desk({.max = 3});
    const int lent = desk.lend(1), resting = desk.lend(2);
    desk.release(resting);
    desk.lending.renew(desk.actions = {});
    CHECK(desk.actions.close == std::vector{Closing{resting, CloseReason::renewed}});
    desk.release(lent);
    CHECK(desk.actions.close == std::vector{Closing{lent, CloseReason::renewed}});
}

TEST_CASE("a smaller pool closes what rests at once and the rest as it comes back, a larger one serves") {
    Desk desk({.max = 3});
    const int first = desk.lend(1), second = desk.lend(2), third = desk.lend(3);
    desk.release(third);
    desk.lending.resize(1, 0, desk.now, desk.actions = {});
    CHECK(desk.actions.close == std::vector{Closing{third, CloseReason::resized}});
    desk.finish();
    CHECK(waits(desk.ask(4)));
    desk.release(second);
    CHECK(desk.actions.close == std::vector{Closing{second, CloseReason::resized}});
    CHECK(desk.granted().empty());
    desk.finish();
    desk.lending.resize(2, 0, desk.now, desk.actions = {});
    CHECK(desk.granted() == "4 opens ");
    desk.release(first);
    CHECK(desk.lending.state().idle == 1);
}

TEST_CASE("while a pool is paused nobody is lent anything, and what is out comes back") {
    Desk desk({.max = 2, .reserve = 0, .idle_timeout = 30s});
    const int first = desk.lend(1), second = desk.lend(2);
    desk.release(second);
    desk.lending.pause(desk.now + 60s);
    CHECK(waits(desk.ask(3)));
    CHECK(waits(desk.ask(4, 3s, Use::reserved)));
    desk.release(first);
    CHECK(desk.granted().empty());
    CHECK(desk.lending.state().idle == 2);
    CHECK(desk.lending.state().waiting == 2);
    CHECK(desk.lending.state().paused_until == desk.now + 60s);
    desk.lending.resume(desk.now, desk.actions = {});
    CHECK(desk.granted() == "4 gets 3 gets ");
    CHECK_FALSE(desk.lending.state().paused_until);
}

TEST_CASE("a pause ends by itself, and who has not waited for it in vain is served") {
    Desk desk({.max = 1});
    desk.release(desk.lend(1));
    desk.lending.pause(desk.now + 2s);
    CHECK(waits(desk.ask(2, 1s)));
    CHECK(waits(desk.ask(3, 3s)));
    desk.pass(1s);
    CHECK(desk.refused() == "2 ");
    CHECK(desk.actions.refused.front().second.reason == Reason::paused);
    CHECK(desk.lending.due() == desk.now + 1s);
    desk.pass(1s);
    CHECK(desk.granted() == "3 gets ");
}

TEST_CASE("waiting for the end of a pause is no overload") {
    Desk desk({.max = 1, .max_waiting = 100});
    desk.release(desk.lend(0));
    desk.lending.pause(desk.now + 10s);
    for (int person = 1; person <= 20; ++person) CHECK(waits(desk.ask(person, 30s)));
    for (int i = 0; i < 9; ++i) {
        desk.pass(1s);
        CHECK(desk.refused().empty());
    }
    CHECK(waits(desk.ask(21, 10ms)));
}

TEST_CASE("who waits out a pause is not told that the server is away") {
    Desk desk({.max = 2, .min = 1});
    desk.pass(1s);
    REQUIRE(desk.actions.open);
    const int place = *desk.actions.open;
    desk.lending.pause(desk.now + 10s);
    CHECK(waits(desk.ask(1, 5s)));
    desk.lending.failed(place, desk.now, desk.actions = {});
    CHECK(desk.refused().empty());
}

TEST_CASE("a closed pool refuses all, and closes what comes back") {
    Desk desk({.max = 1});
    const int place = desk.lend(1);
    desk.ask(2);
    desk.lending.close(desk.actions = {});
    CHECK(desk.refused() == "2 ");
    CHECK(is_refused(desk.ask(3), Reason::closed));
    desk.release(place);
    CHECK(desk.actions.close == std::vector{Closing{place, CloseReason::closed}});
}

TEST_CASE("no more than four are opened at once for those who wait") {
    Desk desk({.max = 10, .reserve = 0});
    for (int person = 1; person <= 4; ++person) CHECK(opens(desk.ask(person)));
    CHECK(waits(desk.ask(5)));
    desk.lending.opened(0, desk.now, desk.actions = {});
    CHECK(desk.granted() == "5 opens ");
}

TEST_CASE(
    "after five failures to connect all who wait or come are refused, until the housekeeper has connected") {
    Desk desk({.max = 10, .reserve = 0, .connects_at_once = 0});
    std::vector<int> places;
    for (int person = 1; person <= 5; ++person)
        places.push_back(std::get<Lending::Grant>(desk.ask(person)).place);
    desk.ask(6);
    for (const int place : places) desk.lending.failed(place, desk.now, desk.actions = {});
    CHECK(desk.lending.state().circuit == postgres::Circuit::State::open);
    CHECK(is_refused(desk.ask(7), Reason::circuit));
    CHECK(is_refused(desk.ask(8, 3s, Use::reserved), Reason::circuit));
    CHECK(desk.lending.due() - desk.now <= 500ms);

    desk.keep_house(1s);
    CHECK(desk.lending.state().circuit == postgres::Circuit::State::closed);
    CHECK(std::holds_alternative<Lending::Grant>(desk.ask(9)));
}

TEST_CASE("a server that is full lowers the limit to what is open, and it rises again one by one") {
    Desk desk({.max = 6, .reserve = 0});
    const int first = desk.lend(1);
    desk.lend(2);
    const Lending::Ask ask{Desk::who(3), Use::ordinary, desk.now + 3s, desk.now};
    const auto grant = std::get<Lending::Grant>(desk.lending.ask(ask, desk.now, desk.actions));
    CHECK(waits(desk.lending.server_full(grant.place, ask, desk.now, desk.actions = {})));
    CHECK(desk.lending.state().limit == 2);
    CHECK(desk.lending.state().circuit == postgres::Circuit::State::closed);
    desk.release(first);
    CHECK(desk.granted() == "3 gets ");

    CHECK(waits(desk.ask(4, 1h)));
    desk.pass(5s);
    CHECK(desk.granted() == "4 opens ");
    CHECK(desk.lending.state().limit == 3);
    desk.pass(5s);
    desk.pass(5s);
    desk.pass(5s);
    CHECK(desk.lending.state().limit == 6);
}

TEST_CASE("a server that is full and has none of ours is like none at all") {
    Desk desk({.max = 6});
    const Lending::Ask ask{Desk::who(1), Use::ordinary, desk.now + 3s, desk.now};
    const auto grant = std::get<Lending::Grant>(desk.lending.ask(ask, desk.now, desk.actions));
    CHECK(
        is_refused(desk.lending.server_full(grant.place, ask, desk.now, desk.actions), Reason::unreachable));
    CHECK(desk.lending.state().limit == 6);
}

TEST_CASE("what was left unanswered keeps its place until it is recovered or has ended") {
    Desk desk({.max = 1});
    const int place = desk.lend(1);
    CHECK(waits(desk.ask(2)));
    desk.lending.quarantine(place, desk.now, desk.actions = {});
    CHECK(desk.granted().empty());
    CHECK(desk.lending.state().total == 1);
    CHECK(desk.lending.state().active == 0);
    desk.lending.recovered(place, desk.now, desk.actions = {});
    CHECK(desk.granted() == "2 gets ");

    CHECK(waits(desk.ask(3)));
    desk.lending.quarantine(place, desk.now, desk.actions = {});
    desk.lending.closed(place, desk.now, desk.actions = {});
    CHECK(desk.granted() == "3 opens ");
}

TEST_CASE("a server that has changed its role ends all connections of before, once") {
    Desk desk({.max = 3, .reserve = 0});
    const int first = desk.lend(1), second = desk.lend(2), third = desk.lend(3);
    desk.release(third);
    desk.lending.changed_role(first, desk.actions = {});
    CHECK(desk.actions.close == std::vector<Lending::Closing>{{third, postgres::CloseReason::renewed}});
    desk.finish();
    const int fresh = desk.lend(4);
    desk.lending.changed_role(second, desk.actions = {});
    desk.release(fresh);
    CHECK(desk.actions.close.empty());
}
