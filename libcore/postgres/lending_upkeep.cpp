// What is done for the connections though nobody asks, and when it is due: those that rest too long are
// closed, those that rest long are asked whether they live, and new ones are opened ahead of need.

#include <algorithm>

#include "libcore/postgres/lending.hpp"

namespace postgres {

namespace {

using namespace std::chrono_literals;

// Many programs that start together, or meet a new server, do not fill their pools in one go.
constexpr std::chrono::milliseconds stagger = 50ms;
// Whether a server that was full has room again is tried that often, by one connection.
constexpr std::chrono::milliseconds raise_every = 5s;

}  // namespace

void Lending::tick(Time now, Actions& actions) {
    raise_limit(now, actions);
    serve(now, actions);
    close_unneeded(now, actions);
    look_after_one(now, actions);
    open_ahead(now, actions);

    due_ = std::min(waiting_due(now), ahead_due());
    if (limit_ != no_limit) look_again(raise_limit_at_);
    for (const int place : idle_) look_again(idle_due(at(place)));
}

/// Those who wait get what there is.
void Lending::lower_limit(Time now) {
    limit_ = std::max(1, total_);
    raise_limit_at_ = now + raise_every;
    look_again(raise_limit_at_);
}

void Lending::raise_limit(Time now, Actions& actions) {
    if (limit_ == no_limit || now < raise_limit_at_) return;
    raise_limit_at_ = now + raise_every;
    if (++limit_ >= max_) limit_ = no_limit;
    serve(now, actions);
}

void Lending::close_unneeded(Time now, Actions& actions) {
    std::erase_if(idle_, [&](int place) {
        const auto reason = over(at(place), now);
        if (reason) retire(place, *reason, actions);
        return reason.has_value();
    });
    while (open() > min_ && !idle_.empty() && now >= after(at(idle_.front()).since, settings_.idle_timeout))
        retire_oldest(CloseReason::idle, actions);
}

/// The others can be lent meanwhile.
void Lending::look_after_one(Time now, Actions& actions) {
    if (checking_ || closed_) return;
    const auto place = std::ranges::find_if(idle_, [&](int each) { return now >= check_due(at(each)); });
    if (place == idle_.end()) return;
    at(*place).state = Place::State::validating;
    checking_ = true;
    actions.check = *place;
    idle_.erase(place);
}

void Lending::open_ahead(Time now, Actions& actions) {
    if (now < ahead_due()) return;
    opening_ahead_ = true;
    ahead_at_ = now + stagger - part_of(stagger / 2);
    actions.open = start_opening(Place::State::opening_ahead, now);
}

Lending::Time Lending::ahead_due() const {
    if (closed_ || opening_ahead_ || total_ >= most()) return Time::max();
    // Nobody is let through, so this is how it is found that there is one again.
    if (circuit_.lacks_server()) return throttle_.next();
    if (staying() >= min_) return Time::max();
    return std::max(ahead_at_, throttle_.next_ahead());
}

/// Where there is no room to look for the server by a new connection, an old one is asked.
Lending::Time Lending::check_due(const Place& place) const {
    if (circuit_.lacks_server() && !opening_ahead_ && total_ >= most()) return place.heard;
    return after(place.heard, settings_.health_check);
}

Lending::Time Lending::idle_due(const Place& place) const {
    Time due = place.expires;
    if (!checking_) due = std::min(due, check_due(place));
    if (open() > min_) due = std::min(due, after(place.since, settings_.idle_timeout));
    return due;
}

}  // namespace postgres
