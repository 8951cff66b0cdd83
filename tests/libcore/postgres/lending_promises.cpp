// What must never be seen of a pool, whatever happens to it.
#include <algorithm>
#include <array>
#include <stdexcept>

#include "tests/libcore/postgres/lending_schedule.hpp"

namespace lending_model {

void must(bool right, const char* what) {
    if (!right) throw std::runtime_error(what);
}

void Schedule::back(const Person& person) {
    if (probe_ == &person) probe_ = nullptr;
}

void Schedule::leave_line(Person& person) {
    auto& line = line_of(person.ask.use);
    const auto found = std::ranges::find(line, &person);
    must(found != line.end(), "who does not wait is told");
    line.erase(found);
    person.stage = Stage::away;
}

void Schedule::take(const Actions& actions) {
    for (const auto& [who, refusal] : actions.refused) {
        auto& person = *static_cast<Person*>(who);
        refused(refusal, person);
        leave_line(person);
    }
    for (const auto& [who, grant] : actions.granted) {
        auto& person = *static_cast<Person*>(who);
        must(person.stage == Stage::waiting, "who does not wait is served");
        auto& line = line_of(person.ask.use);
        must(line.front() == &person, "somebody was overtaken");
        must(person.ask.use == Use::reserved || reserved_.empty(), "the reserve's were overtaken");
        line.erase(line.begin());
        granted(grant, person);
    }
    for (const auto& it : actions.close) closing(it);
    if (actions.open) opening(*actions.open, State::opening_ahead);
    if (actions.check) {
        must(at(*actions.check).state == State::idle, "what does not rest is checked");
        at(*actions.check).state = State::validating;
    }
}

void Schedule::take(const Lending::Answer& answer, Person& person, bool again) {
    if (const auto* grant = std::get_if<Lending::Grant>(&answer)) {
        if (!again)
            must(line_of(person.ask.use).empty() && reserved_.empty(), "who came last is served first");
        return granted(*grant, person);
    }
    if (const auto* refusal = std::get_if<Lending::Refusal>(&answer)) {
        refused(*refusal, person);
        person.stage = Stage::away;
        return;
    }
    person.stage = Stage::waiting;
    auto& line = line_of(person.ask.use);
    line.insert(again ? line.begin() : line.end(), &person);
}

void Schedule::granted(const Lending::Grant& grant, Person& person) {
    must(!is_paused(), "a paused pool lends");
    if (person.ask.use == Use::ordinary) must(ordinary_out() < limit() - reserve(), "the reserve is touched");
    must(circuit() != Circuit::open, "somebody is let through an open circuit");
    if (circuit() == Circuit::half_open) {
        must(!probe_, "more than one is let through");
        probe_ = &person;
    }
    person.place = grant.place;
    if (grant.open) {
        for (const Connection& it : connections_)
            must(it.state != State::idle || may_be_over(it), "one is opened while another rests");
        opening(grant.place, State::opening);
        person.stage = Stage::opening;
        return;
    }
    Connection& lent = at(grant.place);
    must(lent.state == State::idle, "what does not rest is lent");
    must(!is_over(lent), "what is over is lent");
    for (const Connection& it : connections_)
        must(it.state != State::idle || may_be_over(it) || it.since <= lent.since,
             "a fresher one was not lent");
    lent.state = State::active;
    ++lent.uses;
    person.stage = Stage::using_one;
    if (lent.dead && dice_.one_in(2)) dead_ones_.push_back(&person);
}

void Schedule::ask_again() {
    while (!dead_ones_.empty()) {
        Person& person = *dead_ones_.back();
        dead_ones_.pop_back();
        at(person.place).state = State::none;
        person.stage = Stage::away;
        back(person);
        Actions actions;
        const auto answer = lending_.found_dead(person.place, person.ask, now_, actions);
        // What he is told comes first: he may be served among those who wait.
        take(answer, person, true);
        take(actions);
    }
}

void Schedule::refused(const Lending::Refusal& refusal, const Person& person) {
    must(refusal.retry_after >= 1s, "a hint that is too short");
    const bool ordinary = person.ask.use == Use::ordinary;
    switch (refusal.reason) {
        case Lending::Reason::late:
            return must(person.ask.deadline <= now_ || (person.own_deadline && nothing_lives()),
                        "somebody is late before his time");
        case Lending::Reason::paused:
            return must(is_paused() && person.ask.deadline <= now_, "the pause is no reason");
        case Lending::Reason::full:
            return must(ordinary && settings_.max_waiting &&
                            static_cast<int>(ordinary_.size()) >= *settings_.max_waiting,
                        "the line is full too early");
        case Lending::Reason::shed:
            return must(!is_paused() && ordinary && settings_.shed_above > 0ms &&
                            static_cast<int>(ordinary_.size()) > max_ &&
                            (person.stage == Stage::waiting ? now_ - person.ask.since >= 100ms
                                                            : person.ask.deadline - now_ < 50ms),
                        "somebody is shed too early");
        case Lending::Reason::unreachable:
            return must(nothing_lives(), "there are connections, and somebody hears that there are none");
        case Lending::Reason::circuit:
            return must(circuit() != Circuit::closed, "nobody is let through without a reason");
        case Lending::Reason::closed:
            return must(closed_, "a pool that is open says that it is closed");
    }
}

void Schedule::opening(int place, State state) {
    must(!closed_, "a closed pool opens a connection");
    must(at(place).state == State::none, "a place is used twice");
    must(total() < max_, "one more than the maximum");
    must(total() < limit(), "one more than the server has room for");
    must(std::ranges::count_if(connections_, is_opening) < settings_.connects_at_once,
         "a storm: so many at once");
    must(state == State::opening || staying() < min_ || circuit() == Circuit::open,
         "more are opened ahead than the minimum");
    at(place) = {.state = state, .generation = generation_};
    started_.push_back(now_);
    while (started_.front() <= now_ - 1s) started_.pop_front();
    must(static_cast<int>(started_.size()) <= 2 * settings_.connects_per_second, "a storm: so many a second");
}

void Schedule::closing(const Lending::Closing& closing) {
    Connection& it = at(closing.place);
    must(right_reason(closing.reason, it), "a connection is closed for another reason than is told");
    must(it.state == State::idle, "a connection is closed twice, or while it is used");
    if (!closed_ && !may_be_over(it) && staying() <= max_) {
        must(settings_.idle_timeout > 0ms && now_ - it.since >= settings_.idle_timeout,
             "a connection is closed before its time");
        must(staying() > min_, "fewer than the minimum are kept");
        for (const Connection& other : connections_)
            must(other.state != State::idle || other.since >= it.since, "not the oldest is closed first");
    }
    it.state = State::closing;
}

bool Schedule::right_reason(CloseReason reason, const Connection& it) const {
    switch (reason) {
        case CloseReason::idle:
            return staying() > min_ && settings_.idle_timeout > 0ms;
        case CloseReason::lifetime:
            return settings_.max_lifetime > 0ms && now_ - it.opened >= settings_.max_lifetime * 9 / 10;
        case CloseReason::uses:
            return settings_.max_uses > 0 && it.uses >= settings_.max_uses;
        case CloseReason::renewed:
            return it.generation != generation_;
        case CloseReason::resized:
            return staying() > max_;
        case CloseReason::closed:
            return closed_;
        default:
            return false;
    }
}

void Schedule::look() {
    ask_again();
    if (circuit() != Circuit::half_open) probe_ = nullptr;
    std::array<int, 9> counts{};
    for (const Connection& it : connections_) {
        ++counts[static_cast<std::size_t>(it.state)];
        must(it.state != State::idle || !is_over(it, 0ms), "what is over rests");
    }
    const auto number = [&](State state) { return counts[static_cast<std::size_t>(state)]; };
    const int opening =
        number(State::opening) + number(State::opening_ahead) + number(State::opening_abandoned);
    const int total = static_cast<int>(connections_.size()) - number(State::none);
    const int staying = total - number(State::closing) - number(State::recovering);
    const auto state = lending_.state();
    must(state.total == total, "the total is wrong");
    must(state.waiting == static_cast<int>(ordinary_.size() + reserved_.size()), "waiting is wrong");
    must(state.idle == number(State::idle) + number(State::validating), "idle is wrong");
    must(state.active == number(State::opening) + number(State::active), "active is wrong");
    must(state.limit >= 1 && state.limit <= max_, "the limit is wrong");
    if (closed_) return;
    const bool room = total < state.limit && opening < settings_.connects_at_once;
    const bool anybody_waits = !ordinary_.empty() || !reserved_.empty();
    if (is_paused()) {
        must(!anybody_waits || lending_.due() <= paused_until_, "the end of the pause is forgotten");
    } else if (state.circuit == Circuit::closed) {
        const auto& line = reserved_.empty() ? ordinary_ : reserved_;
        const bool may = !reserved_.empty() || ordinary_out() < state.limit - reserve();
        if (!line.empty() && may) {
            must(number(State::idle) == 0, "one rests while somebody waits");
            if (room) must(lending_.due() - now_ <= 600ms, "somebody waits and is forgotten");
            // A pause ends by itself when the housekeeper looks.
            must(!room || failing_ || recently_started() || paused_until_ > Time{},
                 "somebody waits who could open one");
        }
    } else {
        if (lending_.lacks_server() && room && number(State::opening_ahead) == 0)
            must(lending_.due() - now_ <= 600ms, "nobody looks whether there is a server again");
    }
    if (staying < min_ && room && number(State::opening_ahead) == 0)
        must(lending_.due() - now_ <= 5s, "the minimum is forgotten");
}

bool Schedule::is_opening(const Connection& it) {
    return it.state == State::opening || it.state == State::opening_ahead ||
           it.state == State::opening_abandoned;
}

int Schedule::count(State state) const {
    return static_cast<int>(std::ranges::count(connections_, state, &Connection::state));
}

bool Schedule::is_over(const Connection& it, std::chrono::milliseconds lifetime) const {
    return it.generation != generation_ || (settings_.max_uses > 0 && it.uses >= settings_.max_uses) ||
           (lifetime > 0ms && now_ - it.opened >= lifetime);
}

int Schedule::ordinary_out() const {
    return static_cast<int>(std::ranges::count_if(people_, [](const Person& it) {
        return it.ask.use == Use::ordinary && (it.stage == Stage::opening || it.stage == Stage::using_one);
    }));
}

}  // namespace lending_model
