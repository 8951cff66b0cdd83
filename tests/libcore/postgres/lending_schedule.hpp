// Random schedules of everything that can happen to a pool, with connections that are only counted, held
// against a model that decides nothing: it knows what must never be seen.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <initializer_list>
#include <vector>

#include "libcore/postgres/lending.hpp"

namespace lending_model {

using namespace std::chrono_literals;
using postgres::CloseReason;
using postgres::Lending;
using postgres::PoolSettings;
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

PoolSettings settings_of(Dice& dice);

/// Throws when the pool does what is right in no schedule.
void must(bool right, const char* what);

/// One of them, chosen by its seed; throws std::runtime_error when a promise is broken.
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

    void run();

private:
    using State = Connection::State;
    using Stage = Person::Stage;
    using Actions = Lending::Actions;

    Connection& at(int place) { return connections_.at(static_cast<std::size_t>(place)); }

    void step();
    void ask();

    /// 0 broken, 1 broken by the server, 2 unanswered, 3 of another role now, else sound.
    bool release(int how);

    /// 0 unreachable, 1 the time of him for whom it is was up, 2 the server is full, 3 the login is refused,
    /// else open.
    bool finish_opening(int how);
    bool finish_check(bool dead);
    bool finish_closing();
    bool finish_recovery(bool ended);

    template <class Event>
    void event(const Event& happens);
    void strike(bool lost);

    /// Whoever was let through alone has come back.
    void back(const Person& person);
    void die();
    void renew();
    void pause_or_resume();
    void resize();

    /// Whoever's time is up leaves; the housekeeper comes when it is due.
    void pass(Lending::Duration span);
    void until_due();
    void tick();
    void leave();
    void leave_line(Person& person);
    void take(const Actions& actions);
    void take(const Lending::Answer& answer, Person& person, bool again);
    void granted(const Lending::Grant& grant, Person& person);

    /// Those who find that what they have been given is dead ask again.
    void ask_again();
    void refused(const Lending::Refusal& refusal, const Person& person);
    void opening(int place, State state);
    void closing(const Lending::Closing& closing);
    bool right_reason(CloseReason reason, const Connection& it) const;

    /// After every event.
    void look();

    bool recently_started() const { return !started_.empty() && started_.back() > now_ - 1s; }

    /// When everything comes back and the server is there, nobody waits and the minimum is there.
    void come_to_rest();
    bool is_at_rest() const;
    void end();

    template <class Fits>
    Person* any(const Fits& fits);

    template <class Fits>
    int any_place(const Fits& fits);

    static bool is_opening(const Connection& it);
    int count(State state) const;
    int total() const { return static_cast<int>(connections_.size()) - count(State::none); }
    int staying() const { return total() - count(State::closing) - count(State::recovering); }
    int limit() const { return lending_.state().limit; }
    Circuit circuit() const { return lending_.state().circuit; }
    bool nothing_lives() const { return staying() == 0; }
    int reserve() const { return std::min(settings_.reserve.value_or(max_ >= 4 ? 1 : 0), limit() - 1); }
    bool is_over(const Connection& it, std::chrono::milliseconds lifetime) const;
    bool is_over(const Connection& it) const { return is_over(it, settings_.max_lifetime); }
    bool may_be_over(const Connection& it) const { return is_over(it, settings_.max_lifetime * 9 / 10); }
    bool is_paused() const { return now_ < paused_until_; }
    int ordinary_out() const;
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

}  // namespace lending_model
