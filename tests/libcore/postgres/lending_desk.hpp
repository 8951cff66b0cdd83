// A pool's state machine at moments that the test chooses, and those who ask it: people are numbers.
#pragma once

#include <algorithm>
#include <catch2/catch.hpp>
#include <string>

#include "libcore/postgres/lending.hpp"

namespace postgres {

using namespace std::chrono_literals;
using Answer = Lending::Answer;
using Closing = Lending::Closing;
using Reason = Lending::Reason;
using Use = Lending::Use;

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

inline bool waits(const Answer& answer) {
    return std::holds_alternative<Lending::Waits>(answer);
}

inline bool is_refused(const Answer& answer, Reason reason) {
    const auto* refusal = std::get_if<Lending::Refusal>(&answer);
    return refusal && refusal->reason == reason && refusal->retry_after >= 1s;
}

inline bool opens(const Answer& answer) {
    const auto* grant = std::get_if<Lending::Grant>(&answer);
    return grant && grant->open;
}

}  // namespace postgres
