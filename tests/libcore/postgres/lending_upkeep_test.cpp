// What a pool does for its connections though nobody asks.
#include "tests/libcore/postgres/lending_desk.hpp"

using namespace postgres;

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

TEST_CASE("a server that is full lowers the limit to what is open, and it rises again one by one") {
    Desk desk({.max = 6, .reserve = 0});
    const int first = desk.lend(1);
    desk.lend(2);
    const Lending::Ask ask{Desk::who(3), Use::ordinary, desk.now + 3s, desk.now};
    const auto grant = std::get<Lending::Grant>(desk.lending.ask(ask, desk.now, desk.actions));
    CHECK(waits(desk.lending.server_full(grant.place, ask, desk.now, desk.actions = {})));
    CHECK(desk.lending.state().limit == 2);
    CHECK(desk.lending.state().circuit == Circuit::State::closed);
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
