// The pool's own threads, the connections that nobody has, and what operators ask for.

#include <algorithm>
#include <cassert>
#include <random>

#include "libcore/postgres/lending_names.hpp"
#include "libcore/postgres/pool_impl.hpp"

namespace postgres {

namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr std::chrono::hours longest_sleep{1};

}  // namespace

PoolImpl::PoolImpl(PoolSettings settings, Observe observe)
    : settings_(std::move(settings)),
      observe_(std::move(observe)),
      lending_(settings_, std::random_device{}()),
      loans_(settings_.leak_after),
      connections_(static_cast<std::size_t>(settings_.max)),
      opened_(connections_.size()),
      recovery_(
          std::in_place,
          Recovery::Done{
              .recovered = [this](int place, auto connection,
                                  bool sound) { recovered(place, std::move(connection), sound); },
              .opened = [this](int place, auto connection) { opened(place, std::move(connection)); },
              .not_opened = [this](int place, auto error) { could_not_open(place, std::move(error)); }}),
      opener_([this](const std::stop_token& stop) { open_ahead(stop); }),
      housekeeper_([this](const std::stop_token& stop) { keep_house(stop); }) {}

PoolImpl::~PoolImpl() {
    housekeeper_.request_stop();
    housekeeper_.join();
    opener_.request_stop();
    opener_.join();
    recovery_.reset();
    happened([&](Clock::time_point, Actions& actions) { lending_.close(actions); });
    assert(state().total == 0 && "a lease outlives its pool");
}

void PoolImpl::renew() {
    happened([&](Clock::time_point, Actions& actions) { lending_.renew(actions); });
}

void PoolImpl::resize(int max, int min) {
    happened([&](Clock::time_point now, Actions& actions) {
        lending_.resize(max, min, now, actions);
        if (connections_.size() < static_cast<std::size_t>(max))
            connections_.resize(static_cast<std::size_t>(max));
        opened_.resize(connections_.size());
    });
}

void PoolImpl::pause(Clock::time_point until) {
    happened([&](Clock::time_point, Actions&) { lending_.pause(until); });
}

void PoolImpl::resume() {
    happened([&](Clock::time_point now, Actions& actions) { lending_.resume(now, actions); });
}

PoolState PoolImpl::state() const {
    const std::scoped_lock lock(mutex_);
    auto state = lending_.state();
    state.overdue = loans_.overdue();
    if (state.paused_until && *state.paused_until <= Clock::now()) state.paused_until.reset();
    return state;
}

std::vector<ConnectionReport> PoolImpl::connections() const {
    std::vector<ConnectionReport> reports;
    const std::scoped_lock lock(mutex_);
    for (std::size_t i = 0; i < lending_.places().size(); ++i) {
        const auto& place = lending_.places()[i];
        if (place.state == Lending::Place::State::empty) continue;
        ConnectionReport report{.state = to_string(place.state),
                                .backend_pid = opened_[i].backend_pid,
                                .opened_at = opened_[i].at,
                                .since = place.since,
                                .uses = place.uses};
        if (place.state == Lending::Place::State::opening_ahead ||
            place.state == Lending::Place::State::opening_abandoned)
            report.since = opened_[i].at;
        if (const auto loan = loans_.of(static_cast<int>(i))) {
            report.since = loan->since;
            report.from = loan->from;
            report.overdue = loan->overdue;
        }
        reports.push_back(report);
    }
    return reports;
}

void PoolImpl::keep_house(const std::stop_token& stop) {
    PoolLock lock(mutex_);
    while (!stop.stop_requested()) {
        Actions actions;
        lending_.tick(Clock::now(), actions);
        const auto [open, check] = std::pair(actions.open, actions.check);
        const bool busy = open || check || !actions.close.empty();
        if (open) opened_[static_cast<std::size_t>(*open)] = {.at = Clock::now()};
        perform(actions, lock);
        if (open) {
            to_open_ = open;
            errand_.notify_one();
        }
        if (check) look_after(*check, lock);
        if (report_leaks(lock) || busy) continue;
        const auto now = Clock::now();
        sleeping_until_ = std::min({lending_.due(), loans_.due(now), now + longest_sleep});
        // A copy: it is read while the lock is open.
        const auto until = sleeping_until_;
        chores_.wait_until(lock, stop, until, [&] { return sleeping_until_ == awake; });
        sleeping_until_ = awake;
    }
}

bool PoolImpl::report_leaks(PoolLock& lock) {
    const auto now = Clock::now();
    const auto leaks = loans_.newly_overdue(now);
    if (leaks.empty()) return false;
    std::vector<Observation> seen;
    for (const auto& [place, loan] : leaks)
        seen.push_back({.kind = Observation::Kind::leak,
                        .name = "leak",
                        .duration = now - loan.since,
                        .from = loan.from,
                        .backend_pid = opened_[static_cast<std::size_t>(place)].backend_pid});
    lock.unlock();
    if (observe_) std::ranges::for_each(seen, observe_);
    lock.lock();
    return true;
}

void PoolImpl::open_ahead(const std::stop_token& stop) {
    PoolLock lock(mutex_);
    for (;;) {
        errand_.wait(lock, stop, [&] { return to_open_.has_value(); });
        if (!to_open_) return;
        const int place = *std::exchange(to_open_, std::nullopt);
        lock.unlock();
        try {
            auto connection = unopened();
            connection->open(Deadline::max(), stop);
            opened(place, std::move(connection));
        } catch (const DatabaseError& error) {
            could_not_open(place, error);
        } catch (...) {
            could_not_open(place, std::nullopt);
        }
        lock.lock();
    }
}

void PoolImpl::opened(int place, std::unique_ptr<Connection> connection) {
    happened([&](Clock::time_point now, Actions& actions) {
        know(place, *connection);
        at(place) = std::move(connection);
        lending_.opened(place, now, actions);
    });
}

void PoolImpl::look_after(int place, PoolLock& lock) {
    auto connection = std::move(at(place));
    lock.unlock();
    const bool alive = !connection->is_stale() && connection->answers_within(ping_patience);
    connection->take_verdict();  // it is no answer to whoever borrows it next
    if (!alive) end(std::move(connection), CloseReason::unhealthy);
    happened([&](Clock::time_point now, Actions& actions) {
        at(place) = std::move(connection);
        lending_.validated(place, alive, now, actions);
    });
    lock.lock();
}

void PoolImpl::recovered(int place, std::unique_ptr<Connection> connection, bool sound) {
    if (!sound) end(std::move(connection), CloseReason::unanswered);
    happened([&](Clock::time_point now, Actions& actions) {
        if (sound) {
            at(place) = std::move(connection);
            return lending_.recovered(place, now, actions);
        }
        lending_.server_failed(false, now, actions);
        lending_.closed(place, now, actions);
    });
}

void PoolImpl::end(std::unique_ptr<Connection> connection, CloseReason reason) const {
    std::vector<std::unique_ptr<Connection>> connections;
    connections.push_back(std::move(connection));
    end(connections, {reason});
}

void PoolImpl::end(const std::vector<std::unique_ptr<Connection>>& connections,
                   const std::vector<CloseReason>& reasons) const {
    Connection::end(connections);
    if (!observe_) return;
    for (std::size_t i = 0; i < connections.size(); ++i)
        observe_({.kind = Observation::Kind::close,
                  .name = to_string(reasons[i]),
                  .duration = Clock::now() - connections[i]->opened_at(),
                  .backend_pid = connections[i]->backend_pid()});
}

void PoolImpl::perform(Actions& actions, PoolLock& lock) {
    answer(actions, lock);
    while (!actions.close.empty()) {
        const auto closings = std::move(actions.close);
        std::vector<std::unique_ptr<Connection>> ending;
        std::vector<CloseReason> reasons;
        for (const auto& closing : closings) {
            ending.push_back(std::move(at(closing.place)));
            reasons.push_back(closing.reason);
        }
        lock.unlock();
        end(ending, reasons);
        ending.clear();
        lock.lock();
        actions = {};
        for (const auto& closing : closings) lending_.closed(closing.place, Clock::now(), actions);
        answer(actions, lock);
    }
    if (lending_.due() < sleeping_until_) {
        sleeping_until_ = awake;
        chores_.notify_one();
    }
}

}  // namespace postgres
