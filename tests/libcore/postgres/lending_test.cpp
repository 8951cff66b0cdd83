// Who is lent a connection, who waits, and who is refused.
#include "tests/libcore/postgres/lending_desk.hpp"

using namespace postgres;

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

TEST_CASE("no more than four are opened at once for those who wait") {
    Desk desk({.max = 10, .reserve = 0});
    for (int person = 1; person <= 4; ++person) CHECK(opens(desk.ask(person)));
    CHECK(waits(desk.ask(5)));
    desk.lending.opened(0, desk.now, desk.actions = {});
    CHECK(desk.granted() == "5 opens ");
}
