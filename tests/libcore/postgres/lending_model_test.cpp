// Random schedules of everything that can happen to a pool, with connections that are only counted, held
// against a model that decides nothing: it knows what must never be seen.
#include <algorithm>
#include <array>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <deque>
#include <stdexcept>
#include <vector>

#include "libcore/postgres/lending.hpp"

using namespace std::chrono_literals;
using postgres::CloseReason;
using postgres::Lending;
using postgres::PoolSettings;

namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int schedules = 20'000;
#else
constexpr int schedules = 1'000'000;
#endif
constexpr int steps = 20;

using Time = Lending::Time;
using Use = Lending::Use;
using Circuit = postgres::Circuit::State;

class Dice {
public:
    explicit Dice(std::uint64_t seed) : state_(seed * 0x9E3779B97F4A7C15U + 1) {}

    int below(int count) {
        state_ ^= state_ << 13;
        state_ ^= state_ >> 7;
        state_ ^= state_ << 17;
        return static_cast<int>((state_ >> 33) % static_cast<std::uint64_t>(count));
    }
    bool one_in(int count) { return below(count) == 0; }
    template <class T>
    T of(std::initializer_list<T> values) {
        return values.begin()[below(static_cast<int>(values.size()))];
    }

private:
    std::uint64_t state_;
};

struct Person {
    enum class Stage { away, waiting, opening, using_one };

    Stage stage = Stage::away;
    Lending::Ask ask{};
    int place = -1;
    bool own_deadline = false;
};

struct Connection {
    enum class State {
        none,
        opening,
        opening_ahead,
        opening_abandoned,
        active,
        idle,
        validating,
        recovering,
        closing
    };

    State state = State::none;
    bool dead = false;  ///< the server has ended it
    int generation = 0;
    int uses = 0;
    Time opened{};
    Time since{};
};

void must(bool right, const char* what) {
    if (!right) throw std::runtime_error(what);
}

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

class Schedule {
public:
    explicit Schedule(unsigned seed)
        : dice_(seed),
          settings_(settings_of(dice_)),
          lending_(settings_, seed),
          max_(settings_.max),
          min_(settings_.min),
          connections_(12),
          people_(4 + static_cast<std::size_t>(dice_.below(14))) {}

    void run() {
        tick();
        for (int i = 0; i < steps; ++i) step();
        if (dice_.one_in(2)) come_to_rest();
        end();
    }

private:
    using State = Connection::State;
    using Stage = Person::Stage;
    using Actions = Lending::Actions;

    Connection& at(int place) { return connections_.at(static_cast<std::size_t>(place)); }

    void step() {
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

    void ask() {
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

    /// 0 broken, 1 broken by the server, 2 unanswered, 3 of another role now, else sound.
    bool release(int how) {
        Person* person = any([](const Person& it) { return it.stage == Stage::using_one; });
        if (!person) return false;
        const int place = person->place;
        if (at(place).dead) how = 1;
        if (how == 1) strike(true);
        if (how > 3 && dice_.one_in(2))
            event([&](Actions& actions) { lending_.server_answered(now_, actions); });
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

    /// 0 unreachable, 1 the time of him for whom it is was up, 2 the server is full, 3 the login is refused,
    /// else open.
    bool finish_opening(int how) {
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

    bool finish_check(bool dead) {
        const int place = any_place([](const Connection& it) { return it.state == State::validating; });
        if (place < 0) return false;
        const bool alive = !dead && !at(place).dead;
        at(place).state = alive ? State::idle : State::none;
        event([&](Actions& actions) { lending_.validated(place, alive, now_, actions); });
        return true;
    }

    bool finish_closing() {
        const int place = any_place([](const Connection& it) { return it.state == State::closing; });
        if (place < 0) return false;
        at(place).state = State::none;
        event([&](Actions& actions) { lending_.closed(place, now_, actions); });
        return true;
    }

    bool finish_recovery(bool ended) {
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
    void event(const Event& happens) {
        Actions actions;
        happens(actions);
        take(actions);
        look();
    }

    void strike(bool lost) {
        event([&](Actions& actions) { lending_.server_failed(lost, now_, actions); });
        must(circuit() != Circuit::open || (ordinary_.empty() && reserved_.empty()),
             "somebody waits for a server that has failed too often");
    }

    /// Whoever was let through alone has come back.
    void back(const Person& person) {
        if (probe_ == &person) probe_ = nullptr;
    }

    void die() {
        const int place = any_place(
            [](const Connection& it) { return it.state == State::idle || it.state == State::active; });
        if (place >= 0) at(place).dead = true;
    }

    void renew() {
        ++generation_;
        event([&](Actions& actions) { lending_.renew(actions); });
    }

    void pause_or_resume() {
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

    void resize() {
        max_ = 1 + dice_.below(8);
        min_ = dice_.below(max_ + 1);
        event([&](Actions& actions) { lending_.resize(max_, min_, now_, actions); });
    }

    /// Whoever's time is up leaves; the housekeeper comes when it is due.
    void pass(Lending::Duration span) {
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

    void until_due() {
        if (lending_.due() != Time::max() && lending_.due() > now_) pass(lending_.due() - now_);
    }

    void tick() {
        Actions actions;
        lending_.tick(now_, actions);
        must(lending_.due() > now_, "what is due has not been done");
        take(actions);
        look();
    }

    void leave() {
        for (Person& person : people_) {
            if (person.stage != Stage::waiting || person.ask.deadline > now_) continue;
            must(lending_.give_up(&person, now_).retry_after >= 1s, "a hint that is too short");
            leave_line(person);
        }
    }

    void leave_line(Person& person) {
        auto& line = line_of(person.ask.use);
        const auto found = std::ranges::find(line, &person);
        must(found != line.end(), "who does not wait is told");
        line.erase(found);
        person.stage = Stage::away;
    }

    void take(const Actions& actions) {
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

    void take(const Lending::Answer& answer, Person& person, bool again) {
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

    void granted(const Lending::Grant& grant, Person& person) {
        must(!is_paused(), "a paused pool lends");
        if (person.ask.use == Use::ordinary)
            must(ordinary_out() < limit() - reserve(), "the reserve is touched");
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

    /// Those who find that what they have been given is dead ask again.
    void ask_again() {
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

    void refused(const Lending::Refusal& refusal, const Person& person) {
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

    void opening(int place, State state) {
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
        must(static_cast<int>(started_.size()) <= 2 * settings_.connects_per_second,
             "a storm: so many a second");
    }

    void closing(const Lending::Closing& closing) {
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

    bool right_reason(CloseReason reason, const Connection& it) const {
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

    /// After every event.
    void look() {
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

    bool recently_started() const { return !started_.empty() && started_.back() > now_ - 1s; }

    /// When everything comes back and the server is there, nobody waits and the minimum is there.
    void come_to_rest() {
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

    bool is_at_rest() const {
        // More may end each second than may be opened.
        const bool kept = staying() >= min_ || settings_.max_lifetime == 700ms || limit() < max_;
        return kept && ordinary_.empty() && reserved_.empty() && count(State::active) == 0 &&
               (circuit() == Circuit::closed || settings_.circuit_failures == 0);
    }

    void end() {
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
    Person* any(const Fits& fits) {
        const int first = dice_.below(static_cast<int>(people_.size()));
        for (std::size_t i = 0; i < people_.size(); ++i) {
            Person& person = people_[(i + static_cast<std::size_t>(first)) % people_.size()];
            if (fits(person)) return &person;
        }
        return nullptr;
    }

    template <class Fits>
    int any_place(const Fits& fits) {
        const int first = dice_.below(static_cast<int>(connections_.size()));
        for (std::size_t i = 0; i < connections_.size(); ++i) {
            const auto place = (i + static_cast<std::size_t>(first)) % connections_.size();
            if (fits(connections_[place])) return static_cast<int>(place);
        }
        return -1;
    }

    static bool is_opening(const Connection& it) {
        return it.state == State::opening || it.state == State::opening_ahead ||
               it.state == State::opening_abandoned;
    }

    int count(State state) const {
        return static_cast<int>(std::ranges::count(connections_, state, &Connection::state));
    }
    int total() const { return static_cast<int>(connections_.size()) - count(State::none); }
    int staying() const { return total() - count(State::closing) - count(State::recovering); }
    int limit() const { return lending_.state().limit; }
    Circuit circuit() const { return lending_.state().circuit; }
    bool nothing_lives() const { return staying() == 0; }
    int reserve() const { return std::min(settings_.reserve.value_or(max_ >= 4 ? 1 : 0), limit() - 1); }
    bool is_over(const Connection& it, std::chrono::milliseconds lifetime) const {
        return it.generation != generation_ || (settings_.max_uses > 0 && it.uses >= settings_.max_uses) ||
               (lifetime > 0ms && now_ - it.opened >= lifetime);
    }
    bool is_over(const Connection& it) const { return is_over(it, settings_.max_lifetime); }
    bool may_be_over(const Connection& it) const { return is_over(it, settings_.max_lifetime * 9 / 10); }
    bool is_paused() const { return now_ < paused_until_; }
    int ordinary_out() const {
        return static_cast<int>(std::ranges::count_if(people_, [](const Person& it) {
            return it.ask.use == Use::ordinary &&
                   (it.stage == Stage::opening || it.stage == Stage::using_one);
        }));
    }
    std::vector<Person*>& line_of(Use use) { return use == Use::ordinary ? ordinary_ : reserved_; }

    Dice dice_;
    const PoolSettings settings_;
    Lending lending_;
    int max_;
    int min_;
    int generation_ = 0;
    Time paused_until_{};
    bool closed_ = false;
    bool failing_ = false;  ///< the last attempt to connect
    const Person* probe_ = nullptr;
    Time now_{1'000s};
    std::vector<Connection> connections_;
    std::vector<Person> people_;
    std::vector<Person*> ordinary_;
    std::vector<Person*> reserved_;
    std::deque<Time> started_;
    std::vector<Person*> dead_ones_;
};

}  // namespace

// MODEL_SEED chooses the first.
TEST_CASE("a pool keeps its promises in a million random schedules") {
    const char* given = std::getenv("MODEL_SEED");
    const auto first = given ? static_cast<unsigned>(std::atoi(given)) : 1U;
    for (unsigned seed = first; seed < first + schedules; ++seed) {
        try {
            Schedule(seed).run();
        } catch (const std::exception& error) {
            FAIL("MODEL_SEED=" << seed << ": " << error.what());
        }
    }
}
