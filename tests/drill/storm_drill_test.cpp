// kill -9 at any moment, over two schedulers and three workers in the middle of their work.

#include <catch2/catch.hpp>

#include <algorithm>
#include <iostream>

#include "tests/drill/storm.hpp"

using namespace drill;

namespace {

using namespace std::chrono_literals;
using support::System;

Verdict judge_and_show(const Storm& storm, const Evidence& evidence) {
    const auto verdict = judge(evidence);
    std::cout << text(Result{storm.title, verdict, {}}) << "  seed=" << storm.chances.seed
              << " kills=" << storm.chances.kills << " deaths=" << evidence.interruptions.size() << std::endl;
    return verdict;
}

void must_hold(const Storm& storm) {
    const auto verdict = judge_and_show(storm, weather(storm));
    INFO(text(Result{storm.title, verdict, {}}));
    CHECK(verdict.messages == storm.chances.messages);
    CHECK(verdict.holds());
}

bool delivered(const sink::Entry& entry) {
    return entry.delivered;
}

}  // namespace

TEST_CASE("the same seed writes the same script, another one another") {
    const auto script = [](std::uint64_t seed) {
        return write_script({.seed = seed, .messages = 1'000, .cast = 5, .kills = 20, .cuts = 3, .slow = 2});
    };
    CHECK(script(1) == script(1));
    CHECK(script(1) != script(2));
    CHECK(script(1).size() == 28);
}

TEST_CASE(
    "random kills lose nothing, and a naive provider gets twice only what a killed worker had under way") {
    const Storm storm{.title = "random kills",
                      .chances = {.seed = chosen_seed(1), .messages = 3'000, .kills = 15}};
    const auto evidence = weather(storm);
    const auto verdict = judge_and_show(storm, evidence);
    INFO(text(Result{storm.title, verdict, {}}));
    CHECK(verdict.messages == 3'000);
    CHECK(verdict.holds());

    // A checker who finds nothing must have been able to.
    const auto tampered = [&](auto tamper) {
        auto other = evidence;
        tamper(other);
        return judge(other);
    };
    CHECK(tampered([](auto& e) { e.requests.erase(std::ranges::find_if(e.requests, delivered)); }).lost == 1);
    CHECK(tampered([](auto& e) { e.ledger.front().status = domain::Status::sending; }).lost == 1);
    CHECK(tampered([](auto& e) { e.requests.push_back(e.requests.front()); }).unexplained > 0);
    CHECK(tampered([](auto& e) { e.requests.front().key += "x"; }).unexplained > 0);
    CHECK(tampered([](auto& e) { e.ledger.front().instant += 1h; }).early > 0);
    if (verdict.repeats > 0) {
        const auto without_excuse = tampered([](auto& e) {
            e.interruptions.clear();
            e.silences.clear();
        });
        CHECK(without_excuse.unexplained == verdict.repeats);
        CHECK(tampered([](auto& e) { e.idempotent = true; }).holds() == false);
    }
}

TEST_CASE(
    "kills, cut connections and a slow provider lose nothing, and a provider that knows keys gets no message "
    "twice") {
    must_hold({.title = "kills, cuts and slowness",
               .chances = {.seed = chosen_seed(2), .messages = 3'000, .kills = 8, .cuts = 3, .slow = 2},
               .provider = System::Provider::idempotent});
}

TEST_CASE("200 kills during 100,000 messages: a provider that knows keys", "[.long]") {
    must_hold({.title = "200 kills",
               .chances = {.seed = chosen_seed(3), .messages = 100'000, .kills = 200},
               .provider = System::Provider::idempotent});
}

TEST_CASE("200 kills during 100,000 messages: a naive provider", "[.long]") {
    must_hold({.title = "200 kills", .chances = {.seed = chosen_seed(4), .messages = 100'000, .kills = 200}});
}
