// The connections of a pool: how they come, rest, are renewed, and go, and what becomes of those who wait for
// them.
#include "tests/libcore/postgres/lending_desk.hpp"

using namespace postgres;

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

TEST_CASE(
    "after five failures to connect all who wait or come are refused, until the housekeeper has connected") {
    Desk desk({.max = 10, .reserve = 0, .connects_at_once = 0});
    std::vector<int> places;
    for (int person = 1; person <= 5; ++person)
        places.push_back(std::get<Lending::Grant>(desk.ask(person)).place);
    desk.ask(6);
    for (const int place : places) desk.lending.failed(place, desk.now, desk.actions = {});
    CHECK(desk.lending.state().circuit == Circuit::State::open);
    CHECK(is_refused(desk.ask(7), Reason::circuit));
    CHECK(is_refused(desk.ask(8, 3s, Use::reserved), Reason::circuit));
    CHECK(desk.lending.due() - desk.now <= 500ms);

    desk.keep_house(1s);
    CHECK(desk.lending.state().circuit == Circuit::State::closed);
    CHECK(std::holds_alternative<Lending::Grant>(desk.ask(9)));
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
    CHECK(desk.actions.close == std::vector<Lending::Closing>{{third, CloseReason::renewed}});
    desk.finish();
    const int fresh = desk.lend(4);
    desk.lending.changed_role(second, desk.actions = {});
    desk.release(fresh);
    CHECK(desk.actions.close.empty());
}
