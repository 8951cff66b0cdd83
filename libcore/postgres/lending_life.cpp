// The connections: how they come, rest, are looked after, and go.

#include <algorithm>
#include <cassert>
#include <stdexcept>

#include "libcore/postgres/lending.hpp"

namespace postgres {

namespace {

using namespace std::chrono_literals;

// Many programs that start together, or meet a new server, do not fill their pools in one go.
constexpr std::chrono::milliseconds stagger = 50ms;
// Whether a server that was full has room again is tried that often, by one connection.
constexpr std::chrono::milliseconds raise_every = 5s;

Lending::Time after(Lending::Time time, Lending::Duration span) {
    return span == Lending::Duration::zero() ? Lending::Time::max() : time + span;
}

}  // namespace

Lending::Lending(const PoolSettings& settings, unsigned seed)
    : settings_(settings),
      max_(settings.max),
      min_(settings.min),
      guard_(settings.connects_at_once, settings.connects_per_second, seed),
      circuit_(settings.circuit_failures, settings.circuit_hold),
      shedding_(settings.shed_above, settings.shed_interval),
      random_(seed) {
    if (max_ < 1) throw std::invalid_argument("a pool needs room for one connection");
    places_.resize(static_cast<std::size_t>(max_));
    resting_.reserve(places_.size());
}

void Lending::opened(int place, Time now, Orders& orders) {
    const bool ahead = at(place).state == Place::State::opening_ahead;
    assert(ahead || at(place).state == Place::State::opening);
    guard_.succeeded();
    circuit_.connected();
    at(place).heard = at(place).since = now;
    at(place).expires = after(now, settings_.lifetime - part_of(settings_.lifetime / 10));
    if (ahead) {
        opening_ahead_ = false;
        put_down(place, now, orders);
    } else {
        at(place).state = Place::State::lent;
        ++at(place).uses;
    }
    serve(now, orders);
    look_again(now);
}

void Lending::failed(int place, Time now, Orders& orders, Failure why) {
    const bool full = why == Failure::too_many && staying() > 1;
    if (full) {
        guard_.abandoned();
    } else {
        guard_.failed(now);
        // Whoever asks gets one that rests; whether that one is answered is counted.
        const bool none_rests = resting_.empty() && !checking_;
        if (why != Failure::refused && (none_rests || circuit_.state() != Circuit::State::closed))
            circuit_.could_not_connect(now);
    }
    vacate(place);
    if (full) lower_limit(now);
    if (circuit_.state() != Circuit::State::closed) refuse_all(Reason::circuit, now, orders);
    // Nobody has one to give back, and nobody is trying any more.
    if (total_ == closing_ && !is_paused(now)) refuse_all(Reason::unreachable, now, orders);
    serve(now, orders);
}

void Lending::abandoned(int place, Time now, Orders& orders) {
    guard_.abandoned();
    vacate(place);
    serve(now, orders);
}

void Lending::give_back(int place, bool usable, Time now, Orders& orders) {
    assert(at(place).state == Place::State::lent);
    if (usable) {
        at(place).heard = at(place).since = now;
        put_down(place, now, orders);
    } else {
        vacate(place);
    }
    serve(now, orders);
}

void Lending::hold_back(int place, Time now, Orders& orders) {
    assert(at(place).state == Place::State::lent);
    count_out(at(place).use, -1);
    at(place).state = Place::State::closing;
    ++closing_;
    look_again({});
    serve(now, orders);
}

void Lending::recovered(int place, Time now, Orders& orders) {
    --closing_;
    at(place).heard = at(place).since = now;
    put_down(place, now, orders);
    serve(now, orders);
}

void Lending::proved(Time now, Orders& orders) {
    const bool was_open = circuit_.state() != Circuit::State::closed;
    circuit_.succeeded();
    if (was_open) serve(now, orders);
}

void Lending::struck(bool lost, Time now, Orders& orders) {
    circuit_.failed(lost, now);
    if (circuit_.state() == Circuit::State::closed) return;
    refuse_all(Reason::circuit, now, orders);
    look_again(now);
}

void Lending::changed_role(int place, Orders& orders) {
    if (at(place).generation == generation_) renew(orders);
}

void Lending::checked(int place, bool alive, Time now, Orders& orders) {
    checking_ = false;
    if (alive) {
        circuit_.connected();
        at(place).heard = now;
        put_down(place, now, orders);
        look_again(now);
    } else {
        vacate(place);
    }
    serve(now, orders);
}

void Lending::closed(int place, Time now, Orders& orders) {
    --closing_;
    vacate(place);
    serve(now, orders);
}

void Lending::tick(Time now, Orders& orders) {
    raise_limit(now, orders);
    serve(now, orders);
    close_unneeded(now, orders);
    look_after_one(now, orders);
    open_ahead(now, orders);

    due_ = std::min(waiting_due(now), ahead_due());
    if (limit_ != no_limit) look_again(raise_limit_at_);
    for (const int place : resting_) look_again(resting_due(at(place)));
}

void Lending::renew(Orders& orders) {
    ++generation_;
    retire_all(CloseReason::renewed, orders);
}

void Lending::resize(int max, int min, Time now, Orders& orders) {
    if (max < 1) throw std::invalid_argument("a pool needs room for one connection");
    max_ = max;
    min_ = min;
    limit_ = no_limit;
    places_.resize(std::max(places_.size(), static_cast<std::size_t>(max)));
    while (staying() > max_ && !resting_.empty()) retire_oldest(CloseReason::resized, orders);
    serve(now, orders);
    look_again(now);
}

// Waiting for an operator is no overload.
void Lending::pause(Time until) {
    paused_until_ = until;
    look_again(until);
    shedding_.turn({}, false, {});
}

void Lending::resume(Time now, Orders& orders) {
    paused_until_ = {};
    serve(now, orders);
    look_again(now);
}

void Lending::close(Orders& orders) {
    closed_ = true;
    retire_all(CloseReason::closed, orders);
    refuse_all(Reason::closed, {}, orders);
}

PoolState Lending::state() const {
    return {.total = total_,
            .idle = static_cast<int>(resting_.size()) + int(checking_),
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
    if (settings_.uses != 0 && place.uses >= settings_.uses) return CloseReason::uses;
    return std::nullopt;
}

int Lending::start_opening(Place::State state, Time now) {
    const auto empty = std::ranges::find(places_, Place::State::empty, &Place::state);
    *empty = {.state = state, .generation = generation_};
    ++total_;
    guard_.started(now);
    return static_cast<int>(empty - places_.begin());
}

void Lending::probe(int place) {
    at(place).probe = circuit_.probe();
}

/// It rests, unless its time is over.
void Lending::put_down(int place, Time now, Orders& orders) {
    if (at(place).state == Place::State::lent) count_out(at(place).use, -1);
    circuit_.probe_ended(std::exchange(at(place).probe, Circuit::none));
    if (closed_) return retire(place, CloseReason::closed, orders);
    if (staying() > max_) return retire(place, CloseReason::resized, orders);
    if (const auto reason = over(at(place), now)) return retire(place, *reason, orders);
    at(place).state = Place::State::resting;
    auto next = resting_.end();
    while (next != resting_.begin() && at(*(next - 1)).since > at(place).since) --next;
    resting_.insert(next, place);
    look_again(resting_due(at(place)));
}

/// Its place is free when it is closed.
void Lending::retire(int place, CloseReason reason, Orders& orders) {
    at(place).state = Place::State::closing;
    ++closing_;
    orders.close.push_back({place, reason});
    look_again({});  // fewer than the minimum may stay
}

void Lending::retire_oldest(CloseReason reason, Orders& orders) {
    const int oldest = resting_.front();
    resting_.erase(resting_.begin());
    retire(oldest, reason, orders);
}

void Lending::retire_all(CloseReason reason, Orders& orders) {
    for (const int place : std::exchange(resting_, {})) retire(place, reason, orders);
}

void Lending::vacate(int place) {
    const auto state = std::exchange(at(place).state, Place::State::empty);
    if (state == Place::State::lent || state == Place::State::opening) count_out(at(place).use, -1);
    if (state == Place::State::opening_ahead) opening_ahead_ = false;
    circuit_.probe_ended(std::exchange(at(place).probe, Circuit::none));
    --total_;
    look_again({});
}

void Lending::count_out(Use use, int change) {
    out_ += change;
    if (use == Use::ordinary) ordinary_out_ += change;
}

/// Those who wait get what there is.
void Lending::lower_limit(Time now) {
    limit_ = std::max(1, total_);
    raise_limit_at_ = now + raise_every;
    look_again(raise_limit_at_);
}

void Lending::raise_limit(Time now, Orders& orders) {
    if (limit_ == no_limit || now < raise_limit_at_) return;
    raise_limit_at_ = now + raise_every;
    if (++limit_ >= max_) limit_ = no_limit;
    serve(now, orders);
}

void Lending::close_unneeded(Time now, Orders& orders) {
    std::erase_if(resting_, [&](int place) {
        const auto reason = over(at(place), now);
        if (reason) retire(place, *reason, orders);
        return reason.has_value();
    });
    while (open() > min_ && !resting_.empty() &&
           now >= after(at(resting_.front()).since, settings_.idle_timeout))
        retire_oldest(CloseReason::idle, orders);
}

/// The others can be lent meanwhile.
void Lending::look_after_one(Time now, Orders& orders) {
    if (checking_ || closed_) return;
    const auto place = std::ranges::find_if(resting_, [&](int each) { return now >= check_due(at(each)); });
    if (place == resting_.end()) return;
    at(*place).state = Place::State::checked;
    checking_ = true;
    orders.check = *place;
    resting_.erase(place);
}

void Lending::open_ahead(Time now, Orders& orders) {
    if (now < ahead_due()) return;
    opening_ahead_ = true;
    ahead_at_ = now + stagger - part_of(stagger / 2);
    orders.open = start_opening(Place::State::opening_ahead, now);
}

Lending::Time Lending::ahead_due() const {
    if (closed_ || opening_ahead_ || total_ >= most()) return Time::max();
    // Nobody is let through, so this is how it is found that there is one again.
    if (circuit_.lacks_server()) return guard_.next();
    if (staying() >= min_) return Time::max();
    return std::max(ahead_at_, guard_.next_ahead());
}

/// Where there is no room to look for the server by a new connection, an old one is asked.
Lending::Time Lending::check_due(const Place& place) const {
    if (circuit_.lacks_server() && !opening_ahead_ && total_ >= most()) return place.heard;
    return after(place.heard, settings_.health_check);
}

Lending::Time Lending::resting_due(const Place& place) const {
    Time due = place.expires;
    if (!checking_) due = std::min(due, check_due(place));
    if (open() > min_) due = std::min(due, after(place.since, settings_.idle_timeout));
    return due;
}

Lending::Duration Lending::part_of(Duration span) {
    return Duration(std::uniform_int_distribution<Duration::rep>(0, span.count())(random_));
}

}  // namespace postgres
