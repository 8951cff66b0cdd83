// What happens to a pool.
#include "tests/libcore/postgres/lending_schedule.hpp"

#include <algorithm>
#include <stdexcept>

namespace lending_model {
namespace {

constexpr int steps = 20;

}  // namespace

PoolSettings settings_of(Dice& dice) {
    PoolSettings settings;
    settings.max = 1 + dice.below(6);
    settings.min = dice.below(settings.max + 1);
    if (dice.one_in(2)) settings.reserve = dice.below(3);
    settings.acquire_timeout = 3s;
    settings.idle_timeout = dice.of({0ms, 200ms, 30'000ms});
    settings.max_lifetime = dice.of({0ms, 700ms, 1'800'000ms});
    settings.max_uses = dice.of({0, 0, 1, 3});
    settings.health_check = dice.of({0ms, 300ms, 30'000ms});
    settings.connects_at_once = dice.of({1, 2, 4});
    settings.connects_per_second = dice.of({2, 10});
    if (dice.one_in(2)) settings.max_waiting = 1 + dice.below(8);
    if (dice.one_in(4)) settings.shed_above = 0ms;
    settings.circuit_failures = dice.of({0, 1, 2, 5});
    settings.circuit_open_for = dice.of({400ms, 30'000ms});
    return settings;
}

void Schedule::run() {
    tick();
    for (int i = 0; i < steps; ++i) step();
    if (dice_.one_in(2)) come_to_rest();
    end();
}

void Schedule::step() {
    switch (dice_.below(17)) {
        case 0:
        case 1:
        case 2:
        case 3:
            return ask();
        case 4:
        case 5:
        case 6:
            return void(release(dice_.below(8)));
        case 7:
        case 8:
        case 9:
            return void(finish_opening(dice_.below(6)));
        case 10:
            return pass(dice_.of<Lending::Duration>({1ms, 20ms, 60ms, 250ms, 1'000ms, 4'000ms}));
        case 11:
            return until_due();
        case 12:
            return void(finish_check(dice_.one_in(3)));
        case 13:
            return void(finish_closing());
        case 14:
            return void(finish_recovery(dice_.one_in(3)));
        case 15:
            return die();
        default:
            return dice_.one_in(2) ? resize() : dice_.one_in(2) ? renew() : pause_or_resume();
    }
}

void Schedule::ask() {
    Person* person = any([](const Person& it) { return it.stage == Stage::away; });
    if (!person) return;
    person->own_deadline = dice_.one_in(3);
    person->ask = {person, dice_.one_in(5) ? Use::reserved : Use::ordinary,
                   now_ + (person->own_deadline ? dice_.of({0ms, 30ms, 120ms}) : 3'000ms), now_};
    Actions actions;
    const auto answer = lending_.ask(person->ask, now_, actions);
    take(actions);
    take(answer, *person, false);
    look();
}

bool Schedule::release(int how) {
    Person* person = any([](const Person& it) { return it.stage == Stage::using_one; });
    if (!person) return false;
    const int place = person->place;
    if (at(place).dead) how = 1;
    if (how == 1) strike(true);
    if (how > 3 && dice_.one_in(2)) event([&](Actions& actions) { lending_.server_answered(now_, actions); });
    if (how == 3) {
        if (at(place).generation == generation_) ++generation_;
        event([&](Actions& actions) { lending_.changed_role(place, actions); });
    }
    at(place).state = how < 2 ? State::none : how == 2 ? State::recovering : State::idle;
    at(place).since = now_;
    person->stage = Stage::away;
    back(*person);
    event([&](Actions& actions) {
        how == 2 ? lending_.quarantine(place, now_, actions)
                 : lending_.release(place, how > 2, now_, actions);
    });
    return true;
}

bool Schedule::finish_opening(int how) {
    const int place = any_place([](const Connection& it) { return is_opening(it); });
    if (place < 0) return false;
    const bool ahead = at(place).state != State::opening;
    const auto person = std::ranges::find_if(
        people_, [&](const Person& it) { return it.stage == Stage::opening && it.place == place; });
    must(ahead == (person == people_.end()), "somebody opens what is opened for nobody");
    if (how > 3) {
        at(place).state = ahead ? State::idle : State::active;
        at(place).opened = at(place).since = now_;
        at(place).uses = ahead ? 0 : 1;
        if (!ahead) person->stage = Stage::using_one;
        failing_ = false;
        event([&](Actions& actions) { lending_.opened(place, now_, actions); });
        return true;
    }
    const bool left = how == 1 && !ahead;
    at(place).state = left ? State::opening_abandoned : State::none;
    if (!ahead) {
        person->stage = Stage::away;
        back(*person);
    }
    failing_ = failing_ || !left;
    if (how == 2 && !ahead) {
        Actions actions;
        const auto answer = lending_.server_full(place, person->ask, now_, actions);
        take(actions);
        take(answer, *person, true);
        look();
        return true;
    }
    event([&](Actions& actions) {
        if (left) return lending_.abandon_opening(place, now_, actions);
        lending_.failed(place, now_, actions,
                        how == 2   ? Lending::Failure::too_many
                        : how == 3 ? Lending::Failure::refused
                                   : Lending::Failure::unreachable);
    });
    return true;
}

bool Schedule::finish_check(bool dead) {
    const int place = any_place([](const Connection& it) { return it.state == State::validating; });
    if (place < 0) return false;
    const bool alive = !dead && !at(place).dead;
    at(place).state = alive ? State::idle : State::none;
    event([&](Actions& actions) { lending_.validated(place, alive, now_, actions); });
    return true;
}

bool Schedule::finish_closing() {
    const int place = any_place([](const Connection& it) { return it.state == State::closing; });
    if (place < 0) return false;
    at(place).state = State::none;
    event([&](Actions& actions) { lending_.closed(place, now_, actions); });
    return true;
}

bool Schedule::finish_recovery(bool ended) {
    const int place = any_place([](const Connection& it) { return it.state == State::recovering; });
    if (place < 0) return false;
    if (ended) strike(false);
    at(place).state = ended ? State::none : State::idle;
    at(place).since = now_;
    event([&](Actions& actions) {
        ended ? lending_.closed(place, now_, actions) : lending_.recovered(place, now_, actions);
    });
    return true;
}

template <class Event>
void Schedule::event(const Event& happens) {
    Actions actions;
    happens(actions);
    take(actions);
    look();
}

void Schedule::strike(bool lost) {
    event([&](Actions& actions) { lending_.server_failed(lost, now_, actions); });
    must(circuit() != Circuit::open || (ordinary_.empty() && reserved_.empty()),
         "somebody waits for a server that has failed too often");
}

void Schedule::die() {
    const int place =
        any_place([](const Connection& it) { return it.state == State::idle || it.state == State::active; });
    if (place >= 0) at(place).dead = true;
}

void Schedule::renew() {
    ++generation_;
    event([&](Actions& actions) { lending_.renew(actions); });
}

void Schedule::pause_or_resume() {
    Actions actions;
    if (dice_.one_in(3)) {
        paused_until_ = {};
        lending_.resume(now_, actions);
    } else {
        paused_until_ = now_ + dice_.of<Lending::Duration>({10ms, 100ms, 1'000ms, 5'000ms});
        lending_.pause(paused_until_);
    }
    take(actions);
    look();
}

void Schedule::resize() {
    max_ = 1 + dice_.below(8);
    min_ = dice_.below(max_ + 1);
    event([&](Actions& actions) { lending_.resize(max_, min_, now_, actions); });
}

void Schedule::pass(Lending::Duration span) {
    const auto end = now_ + span;
    for (int rounds = 0; now_ < end; ++rounds) {
        must(rounds < 10'000, "time goes by, and it is due again and again");
        Time next = std::min(end, lending_.due());
        for (const Person& person : people_)
            if (person.stage == Stage::waiting) next = std::min(next, person.ask.deadline);
        now_ = std::max(now_, next);
        if (lending_.due() <= now_) tick();
        leave();
    }
}

void Schedule::until_due() {
    if (lending_.due() != Time::max() && lending_.due() > now_) pass(lending_.due() - now_);
}

void Schedule::tick() {
    Actions actions;
    lending_.tick(now_, actions);
    must(lending_.due() > now_, "what is due has not been done");
    take(actions);
    look();
}

void Schedule::leave() {
    for (Person& person : people_) {
        if (person.stage != Stage::waiting || person.ask.deadline > now_) continue;
        must(lending_.give_up(&person, now_).retry_after >= 1s, "a hint that is too short");
        leave_line(person);
    }
}

void Schedule::come_to_rest() {
    for (int i = 0; i < 400; ++i) {
        while (release(4) || finish_opening(4) || finish_check(false) || finish_closing() ||
               finish_recovery(false))
            continue;
        if (is_at_rest()) return;
        if (circuit() != Circuit::closed) ask();  // nothing else closes it
        pass(i < 20 ? 100ms : 1'000ms);
    }
    throw std::runtime_error("it does not come to rest");
}

bool Schedule::is_at_rest() const {
    // More may end each second than may be opened.
    const bool kept = staying() >= min_ || settings_.max_lifetime == 700ms || limit() < max_;
    return kept && ordinary_.empty() && reserved_.empty() && count(State::active) == 0 &&
           (circuit() == Circuit::closed || settings_.circuit_failures == 0);
}

void Schedule::end() {
    closed_ = true;
    event([&](Actions& actions) { lending_.close(actions); });
    while (release(dice_.below(8)) || finish_opening(dice_.below(6)) || finish_check(false) ||
           finish_closing() || finish_recovery(dice_.one_in(2)))
        continue;
    must(total() == 0, "a connection is left");
    must(ordinary_.empty() && reserved_.empty(), "somebody is left");
    Person& late = people_.front();
    late.ask = {&late, Use::ordinary, now_ + 3s, now_};
    Actions actions;
    take(lending_.ask(late.ask, now_, actions), late, false);
    must(late.stage == Stage::away, "a closed pool makes somebody wait");
}

template <class Fits>
Person* Schedule::any(const Fits& fits) {
    const int first = dice_.below(static_cast<int>(people_.size()));
    for (std::size_t i = 0; i < people_.size(); ++i) {
        Person& person = people_[(i + static_cast<std::size_t>(first)) % people_.size()];
        if (fits(person)) return &person;
    }
    return nullptr;
}

template <class Fits>
int Schedule::any_place(const Fits& fits) {
    const int first = dice_.below(static_cast<int>(connections_.size()));
    for (std::size_t i = 0; i < connections_.size(); ++i) {
        const auto place = (i + static_cast<std::size_t>(first)) % connections_.size();
        if (fits(connections_[place])) return static_cast<int>(place);
    }
    return -1;
}

}  // namespace lending_model
