// The connections: how they come, rest, are renewed, and go.

#include <algorithm>
#include <cassert>
#include <stdexcept>

#include "libcore/postgres/lending.hpp"

namespace postgres {

Lending::Lending(const PoolSettings& settings, unsigned seed)
    : settings_(settings),
      max_(settings.max),
      min_(settings.min),
      throttle_(settings.connects_at_once, settings.connects_per_second, seed),
      circuit_(settings.circuit_failures, settings.circuit_open_for),
      shedding_(settings.shed_above, settings.shed_interval),
      random_(seed) {
    if (max_ < 1) throw std::invalid_argument("a pool needs room for one connection");
    places_.resize(static_cast<std::size_t>(max_));
    idle_.reserve(places_.size());
}

void Lending::opened(int place, Time now, Actions& actions) {
    const auto state = at(place).state;
    assert(state == Place::State::opening || state == Place::State::opening_ahead ||
           state == Place::State::opening_abandoned);
    throttle_.succeeded();
    circuit_.connected();
    at(place).heard = at(place).since = now;
    at(place).expires = after(now, settings_.max_lifetime - part_of(settings_.max_lifetime / 10));
    if (state == Place::State::opening) {
        at(place).state = Place::State::active;
        ++at(place).uses;
    } else {
        no_more_unasked(state);
        make_idle(place, now, actions);
    }
    serve(now, actions);
    look_again(now);
}

void Lending::failed(int place, Time now, Actions& actions, Failure why) {
    const bool full = why == Failure::too_many && staying() > 1;
    if (full) {
        throttle_.abandoned();
    } else {
        throttle_.failed(now);
        // Whoever asks gets one that rests; whether that one is answered is counted.
        const bool none_rests = idle_.empty() && !checking_;
        if (why != Failure::refused && (none_rests || circuit_.state() != Circuit::State::closed))
            circuit_.could_not_connect(now);
    }
    vacate(place);
    if (full) lower_limit(now);
    if (circuit_.state() != Circuit::State::closed) refuse_all(Reason::circuit, now, actions);
    // Nobody has one to give back, and nobody is trying any more.
    if (total_ == closing_ && !is_paused(now)) refuse_all(Reason::unreachable, now, actions);
    serve(now, actions);
}

void Lending::abandon_opening(int place, Time now, Actions& actions) {
    assert(at(place).state == Place::State::opening);
    count_out(at(place).use, -1);
    circuit_.probe_ended(std::exchange(at(place).probe, Circuit::none));
    at(place).state = Place::State::opening_abandoned;
    ++abandoned_;
    look_again({});
    serve(now, actions);
}

void Lending::release(int place, bool usable, Time now, Actions& actions) {
    assert(at(place).state == Place::State::active);
    if (usable) {
        at(place).heard = at(place).since = now;
        make_idle(place, now, actions);
    } else {
        vacate(place);
    }
    serve(now, actions);
}

void Lending::quarantine(int place, Time now, Actions& actions) {
    assert(at(place).state == Place::State::active);
    count_out(at(place).use, -1);
    at(place).state = Place::State::closing;
    at(place).since = now;
    ++closing_;
    look_again({});
    serve(now, actions);
}

void Lending::recovered(int place, Time now, Actions& actions) {
    --closing_;
    at(place).heard = at(place).since = now;
    make_idle(place, now, actions);
    serve(now, actions);
}

void Lending::server_answered(Time now, Actions& actions) {
    const bool was_open = circuit_.state() != Circuit::State::closed;
    circuit_.succeeded();
    if (was_open) serve(now, actions);
}

void Lending::server_failed(bool lost, Time now, Actions& actions) {
    circuit_.failed(lost, now);
    if (circuit_.state() == Circuit::State::closed) return;
    refuse_all(Reason::circuit, now, actions);
    look_again(now);
}

void Lending::changed_role(int place, Actions& actions) {
    if (at(place).generation == generation_) renew(actions);
}

void Lending::validated(int place, bool alive, Time now, Actions& actions) {
    checking_ = false;
    if (alive) {
        circuit_.connected();
        at(place).heard = now;
        make_idle(place, now, actions);
        look_again(now);
    } else {
        vacate(place);
    }
    serve(now, actions);
}

void Lending::closed(int place, Time now, Actions& actions) {
    --closing_;
    vacate(place);
    serve(now, actions);
}

void Lending::renew(Actions& actions) {
    ++generation_;
    retire_all(CloseReason::renewed, actions);
}

void Lending::resize(int max, int min, Time now, Actions& actions) {
    if (max < 1) throw std::invalid_argument("a pool needs room for one connection");
    max_ = max;
    min_ = min;
    limit_ = no_limit;
    places_.resize(std::max(places_.size(), static_cast<std::size_t>(max)));
    while (staying() > max_ && !idle_.empty()) retire_oldest(CloseReason::resized, actions);
    serve(now, actions);
    look_again(now);
}

// Waiting for an operator is no overload.
void Lending::pause(Time until) {
    paused_until_ = until;
    look_again(until);
    shedding_.turn({}, false, {});
}

void Lending::resume(Time now, Actions& actions) {
    paused_until_ = {};
    serve(now, actions);
    look_again(now);
}

void Lending::close(Actions& actions) {
    closed_ = true;
    retire_all(CloseReason::closed, actions);
    refuse_all(Reason::closed, {}, actions);
}

PoolState Lending::state() const {
    return {.total = total_,
            .idle = static_cast<int>(idle_.size()) + int(checking_),
            .active = out_,
            .waiting = static_cast<int>(ordinary_.size() + reserved_.size()),
            .max = max_,
            .min = min_,
            .paused_until = paused_until_ == Time{} ? std::nullopt : std::optional(paused_until_),
            .limit = most(),
            .circuit = circuit_.state()};
}

std::optional<CloseReason> Lending::over(const Place& place, Time now) const {
    if (place.generation != generation_) return CloseReason::renewed;
    if (now >= place.expires) return CloseReason::lifetime;
    if (settings_.max_uses != 0 && place.uses >= settings_.max_uses) return CloseReason::uses;
    return std::nullopt;
}

int Lending::start_opening(Place::State state, Time now) {
    const auto empty = std::ranges::find(places_, Place::State::empty, &Place::state);
    *empty = {.state = state, .generation = generation_};
    ++total_;
    throttle_.started(now);
    return static_cast<int>(empty - places_.begin());
}

void Lending::probe(int place) {
    at(place).probe = circuit_.probe();
}

/// It rests, unless its time is over.
void Lending::make_idle(int place, Time now, Actions& actions) {
    if (at(place).state == Place::State::active) count_out(at(place).use, -1);
    circuit_.probe_ended(std::exchange(at(place).probe, Circuit::none));
    if (closed_) return retire(place, CloseReason::closed, actions);
    if (staying() > max_) return retire(place, CloseReason::resized, actions);
    if (const auto reason = over(at(place), now)) return retire(place, *reason, actions);
    at(place).state = Place::State::idle;
    auto next = idle_.end();
    while (next != idle_.begin() && at(*(next - 1)).since > at(place).since) --next;
    idle_.insert(next, place);
    look_again(idle_due(at(place)));
}

/// Its place is free when it is closed.
void Lending::retire(int place, CloseReason reason, Actions& actions) {
    at(place).state = Place::State::closing;
    ++closing_;
    actions.close.push_back({place, reason});
    look_again({});  // fewer than the minimum may stay
}

void Lending::retire_oldest(CloseReason reason, Actions& actions) {
    const int oldest = idle_.front();
    idle_.erase(idle_.begin());
    retire(oldest, reason, actions);
}

void Lending::retire_all(CloseReason reason, Actions& actions) {
    for (const int place : std::exchange(idle_, {})) retire(place, reason, actions);
}

void Lending::vacate(int place) {
    const auto state = std::exchange(at(place).state, Place::State::empty);
    if (state == Place::State::active || state == Place::State::opening) count_out(at(place).use, -1);
    no_more_unasked(state);
    circuit_.probe_ended(std::exchange(at(place).probe, Circuit::none));
    --total_;
    look_again({});
}

void Lending::no_more_unasked(Place::State opening) {
    if (opening == Place::State::opening_ahead) opening_ahead_ = false;
    if (opening == Place::State::opening_abandoned) --abandoned_;
}

void Lending::count_out(Use use, int change) {
    out_ += change;
    if (use == Use::ordinary) ordinary_out_ += change;
}

Lending::Duration Lending::part_of(Duration span) {
    return Duration(std::uniform_int_distribution<Duration::rep>(0, span.count())(random_));
}

}  // namespace postgres
