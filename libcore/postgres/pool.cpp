#include "libcore/postgres/pool.hpp"

#include <algorithm>
#include <cassert>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

#include "libcore/postgres/lending_names.hpp"
#include "libcore/postgres/loans.hpp"
#include "libcore/postgres/pool_lock.hpp"
#include "libcore/postgres/recovery.hpp"
#include "libcore/postgres/rerun.hpp"

namespace postgres {

namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

// A server that is there answers nothing within milliseconds.
constexpr std::chrono::milliseconds ping_patience = 1s;
// What has just been used is not asked whether it lives, nor looked at.
constexpr std::chrono::milliseconds rest_before_ping = 500ms, rest_before_peek = 1ms;
constexpr std::chrono::hours longest_sleep{1};

/// Why there is none, if the server is not the reason.
std::string why_none(Lending::Reason reason, int max) {
    switch (reason) {
        case Lending::Reason::late:
            return "all " + std::to_string(max) + " connections stayed in use";
        case Lending::Reason::full:
            return "too many wait for one of " + std::to_string(max) + " connections";
        case Lending::Reason::shed:
            return "waiting for one of " + std::to_string(max) + " connections takes too long";
        case Lending::Reason::paused:
            return "an operator has paused the pool";
        case Lending::Reason::unreachable:
        case Lending::Reason::circuit:
        case Lending::Reason::closed:
            break;
    }
    return {};
}

[[noreturn]] void refuse(Lending::Refusal refusal, int max, const std::optional<DatabaseError>& failure) {
    if (const auto why = why_none(refusal.reason, max); !why.empty())
        throw PoolExhausted("acquire: " + why, refusal.retry_after);
    if (refusal.reason == Lending::Reason::circuit)
        throw CircuitOpen("acquire: the database has failed too often in a row" +
                              (failure ? ", lately: " + std::string(failure->what()) : ""),
                          refusal.retry_after, failure ? failure->sqlstate() : "");
    if (failure && refusal.reason == Lending::Reason::unreachable) throw DatabaseError(*failure);
    throw DatabaseError(DatabaseError::Cause::connection, "acquire: there is no connection");
}

}  // namespace

/// Performs what `Lending` decides: connections, threads and their waiting are here.
class PoolImpl {
public:
    struct Borrowed {
        int place;
        std::unique_ptr<Connection> connection;
        Clock::time_point since{};
    };

    PoolImpl(PoolSettings settings, Observe observe)
        : settings_(std::move(settings)),
          observe_(std::move(observe)),
          lending_(settings_, std::random_device{}()),
          loans_(settings_.leak_after),
          connections_(static_cast<std::size_t>(settings_.max)),
          opened_(connections_.size()),
          recovery_(std::in_place, [this](int place, auto connection,
                                          bool sound) { recovered(place, std::move(connection), sound); }),
          housekeeper_([this](const std::stop_token& stop) { keep_house(stop); }) {}

    ~PoolImpl() {
        housekeeper_.request_stop();
        housekeeper_.join();
        recovery_.reset();
        happened([&](Clock::time_point, Orders& orders) { lending_.close(orders); });
        assert(state().total == 0 && "a lease outlives its pool");
    }

    Borrowed borrow(Lending::Use use, Deadline deadline, const std::source_location& from) {
        Waiter self;
        const Lending::Ask ask{.who = &self,
                               .use = use,
                               .deadline = std::min(deadline, deadline_after(settings_.acquire_timeout)),
                               .since = Clock::now()};
        Borrowed borrowed = acquire(ask, from, ask.since,
                                    [&](Orders& orders) { return lending_.ask(ask, ask.since, orders); });
        while (!borrowed.connection) {
            borrowed.connection = open(borrowed.place, deadline);
            if (borrowed.connection) break;
            borrowed = acquire(ask, from, Clock::now(), [&, place = borrowed.place](Orders& orders) {
                loans_.end(place);
                return lending_.turned_away(place, ask, Clock::now(), orders);
            });
        }
        borrowed.connection->obey(deadline);
        return borrowed;
    }

    void give_back(int place, std::unique_ptr<Connection> connection, Clock::time_point since) {
        connection->obey(Deadline::max());
        const auto verdict = connection->take_verdict();
        const bool moved = connection->has_changed_role();
        const bool unanswered = connection->is_unanswered();
        const bool usable = connection->usable();
        if (!usable && !unanswered)
            end(std::move(connection), CloseReason::broken);  // before its place is free
        const auto back = happened([&](Clock::time_point now, Orders& orders) {
            loans_.end(place);
            if (verdict == Connection::Verdict::answered) lending_.proved(now, orders);
            if (verdict == Connection::Verdict::failed) lending_.struck(true, now, orders);
            if (moved) lending_.changed_role(place, orders);
            if (unanswered) return lending_.hold_back(place, now, orders);
            at(place) = std::move(connection);
            lending_.give_back(place, usable, now, orders);
        });
        if (unanswered) recovery_->add(place, std::move(connection));
        if (observe_) observe_({.kind = Observation::Kind::use, .name = "use", .duration = back - since});
    }

    void renew() {
        happened([&](Clock::time_point, Orders& orders) { lending_.renew(orders); });
    }

    void resize(int max, int min) {
        happened([&](Clock::time_point now, Orders& orders) {
            lending_.resize(max, min, now, orders);
            if (connections_.size() < static_cast<std::size_t>(max))
                connections_.resize(static_cast<std::size_t>(max));
            opened_.resize(connections_.size());
        });
    }

    void pause(Clock::time_point until) {
        happened([&](Clock::time_point, Orders&) { lending_.pause(until); });
    }

    void resume() {
        happened([&](Clock::time_point now, Orders& orders) { lending_.resume(now, orders); });
    }

    /// Whoever came then does not wait for longer.
    Deadline give_up_at(Clock::time_point came) const {
        return settings_.acquire_timeout == 0ms ? Deadline::max() : came + settings_.acquire_timeout;
    }

    PoolState state() const {
        const std::scoped_lock lock(mutex_);
        auto state = lending_.state();
        state.overdue = loans_.overdue();
        if (state.paused_until && *state.paused_until <= Clock::now()) state.paused_until.reset();
        return state;
    }

    std::vector<ConnectionReport> connections() const {
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
            if (const auto loan = loans_.of(static_cast<int>(i))) {
                report.since = loan->since;
                report.from = loan->from;
                report.overdue = loan->overdue;
            }
            reports.push_back(report);
        }
        return reports;
    }

private:
    using Orders = Lending::Orders;
    using Grant = Lending::Grant;

    /// What is known of a connection while somebody else has it.
    struct Opened {
        int backend_pid = 0;
        Clock::time_point at{};
    };

    template <class Event>
    Borrowed acquire(const Lending::Ask& ask, const std::source_location& from, Clock::time_point started,
                     const Event& event) {
        Observation seen{.kind = Observation::Kind::acquire, .name = "acquire", .from = from};
        const auto tell = [&](Clock::time_point now) {
            seen.duration = now - started;
            if (observe_) observe_(seen);
        };
        try {
            auto borrowed = take_turn(ask, seen, event);
            tell(borrowed.since = Clock::now());
            return borrowed;
        } catch (const DatabaseError& error) {
            seen.outcome = outcome_of(error);
            seen.error = &error;
            tell(Clock::now());
            throw;
        }
    }

    /// A sound connection, or (null) the right to open one.
    template <class Event>
    Borrowed take_turn(const Lending::Ask& ask, Observation& seen, const Event& event) {
        PoolLock lock(mutex_);
        Orders orders;
        auto grant = settle(event(orders), orders, ask, seen, lock);
        while (!grant.open) {
            auto connection = std::move(at(grant.place));
            lock.unlock();
            if (is_sound(*connection, grant.rested)) return {grant.place, std::move(connection)};
            end(std::move(connection), CloseReason::dead);
            lock.lock();
            orders = {};
            loans_.end(grant.place);
            grant =
                settle(lending_.found_dead(grant.place, ask, Clock::now(), orders), orders, ask, seen, lock);
        }
        opened_[static_cast<std::size_t>(grant.place)] = {};
        return {grant.place, nullptr};
    }

    Grant settle(Lending::Answer answer, Orders& orders, const Lending::Ask& ask, Observation& seen,
                 PoolLock& lock) {
        auto& self = *static_cast<Waiter*>(ask.who);
        auto now = ask.since;
        const bool waits = std::holds_alternative<Lending::Waits>(answer);
        if (waits) self.answer.reset();
        perform(orders, lock);
        if (waits) {
            lock.unlock();
            const bool told = self.told.heard_until(ask.deadline);
            lock.lock();
            if (!told && !self.answer) {
                self.answer = lending_.give_up(&self, Clock::now());
            } else if (!told) {
                lock.unlock();
                self.told.heard_until(Deadline::max());  // it is about to ring
                lock.lock();
            }
            answer = *self.answer;
            now = Clock::now();
        }
        if (const auto* refusal = std::get_if<Lending::Refusal>(&answer)) {
            seen.name = to_string(refusal->reason);
            refuse(*refusal, lending_.state().max, failure_);
        }
        const auto grant = std::get<Grant>(answer);
        loans_.begin(grant.place, seen.from, now);
        return grant;
    }

    bool is_sound(Connection& connection, Clock::duration rested) const {
        if (settings_.validation == Validation::off || rested < rest_before_peek) return true;
        if (connection.is_stale()) return false;
        return settings_.validation == Validation::peek || rested < rest_before_ping ||
               connection.answers_within(ping_patience);
    }

    /// Null if the server has no room for it.
    std::unique_ptr<Connection> open(int place, Deadline deadline) {
        auto settings = settings_.connection;
        if (deadline != Deadline::max()) {
            const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
            if (settings.connect_timeout == 0ms || left < settings.connect_timeout)
                settings.connect_timeout = std::max(left, 1ms);
        }
        try {
            auto connection = connect(settings, {});
            happened([&](Clock::time_point now, Orders& orders) {
                know(place, *connection);
                lending_.opened(place, now, orders);
            });
            return connection;
        } catch (const DatabaseError& error) {
            if (error.is_full()) {
                const std::scoped_lock lock(mutex_);
                failure_ = error;
                return nullptr;
            }
            if (error.timed_out() && Clock::now() >= deadline)
                happened([&](auto now, Orders& orders) {
                    loans_.end(place);
                    lending_.abandoned(place, now, orders);
                });
            else
                could_not_open(place, error);
            throw;
        } catch (...) {
            could_not_open(place, std::nullopt);
            throw;
        }
    }

    std::unique_ptr<Connection> connect(const ConnectionSettings& settings,
                                        const std::stop_token& stop) const {
        auto connection = std::make_unique<Connection>(settings, observe_, stop);
        connection->keep_unanswered();
        return connection;
    }

    void could_not_open(int place, std::optional<DatabaseError> error) {
        const auto why = !error || error->is_refused_login() ? Lending::Failure::refused
                         : error->is_full()                  ? Lending::Failure::too_many
                                                             : Lending::Failure::unreachable;
        happened([&](Clock::time_point now, Orders& orders) {
            failure_ = std::move(error);
            loans_.end(place);
            lending_.failed(place, now, orders, why);
        });
    }

    void recovered(int place, std::unique_ptr<Connection> connection, bool sound) {
        if (!sound) end(std::move(connection), CloseReason::unanswered);
        happened([&](Clock::time_point now, Orders& orders) {
            if (sound) {
                at(place) = std::move(connection);
                return lending_.recovered(place, now, orders);
            }
            lending_.struck(false, now, orders);
            lending_.closed(place, now, orders);
        });
    }

    void keep_house(const std::stop_token& stop) {
        PoolLock lock(mutex_);
        while (!stop.stop_requested()) {
            Orders orders;
            lending_.tick(Clock::now(), orders);
            const auto [open, check] = std::pair(orders.open, orders.check);
            const bool busy = open || check || !orders.close.empty();
            perform(orders, lock);
            if (open) open_ahead(*open, stop, lock);
            if (check) look_after(*check, lock);
            if (tell_leaks(lock) || busy) continue;
            const auto now = Clock::now();
            sleeping_until_ = std::min({lending_.due(), loans_.due(now), now + longest_sleep});
            // A copy: it is read while the lock is open.
            const auto until = sleeping_until_;
            chores_.wait_until(lock, stop, until, [&] { return sleeping_until_ == awake; });
            sleeping_until_ = awake;
        }
    }

    bool tell_leaks(PoolLock& lock) {
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

    void open_ahead(int place, const std::stop_token& stop, PoolLock& lock) {
        opened_[static_cast<std::size_t>(place)] = {};
        lock.unlock();
        try {
            auto connection = connect(settings_.connection, stop);
            happened([&](Clock::time_point now, Orders& orders) {
                know(place, *connection);
                at(place) = std::move(connection);
                lending_.opened(place, now, orders);
            });
        } catch (const DatabaseError& error) {
            could_not_open(place, error);
        }
        lock.lock();
    }

    void look_after(int place, PoolLock& lock) {
        auto connection = std::move(at(place));
        lock.unlock();
        const bool alive = !connection->is_stale() && connection->answers_within(ping_patience);
        if (!alive) end(std::move(connection), CloseReason::unhealthy);
        happened([&](Clock::time_point now, Orders& orders) {
            at(place) = std::move(connection);
            lending_.checked(place, alive, now, orders);
        });
        lock.lock();
    }

    template <class Event>
    Clock::time_point happened(const Event& event) {
        PoolLock lock(mutex_);
        Orders orders;
        const auto now = Clock::now();
        event(now, orders);
        perform(orders, lock);
        return now;
    }

    void end(std::unique_ptr<Connection> connection, CloseReason reason) const {
        const Observation seen{.kind = Observation::Kind::close,
                               .name = to_string(reason),
                               .duration = Clock::now() - connection->opened_at(),
                               .backend_pid = connection->backend_pid()};
        connection->end();
        if (observe_) observe_(seen);
    }

    /// Connections end while the lock is open.
    void perform(Orders& orders, PoolLock& lock) {
        tell(orders, lock);
        while (!orders.close.empty()) {
            const auto closings = std::move(orders.close);
            std::vector<std::unique_ptr<Connection>> ending;
            for (const auto& closing : closings) ending.push_back(std::move(at(closing.place)));
            lock.unlock();
            for (std::size_t i = 0; i < ending.size(); ++i) end(std::move(ending[i]), closings[i].reason);
            lock.lock();
            orders = {};
            for (const auto& closing : closings) lending_.closed(closing.place, Clock::now(), orders);
            tell(orders, lock);
        }
        if (lending_.due() < sleeping_until_) {
            sleeping_until_ = awake;
            chores_.notify_one();
        }
    }

    static void tell(const Orders& orders, PoolLock& lock) {
        for (const auto& [who, grant] : orders.granted) lock.tell(who, grant);
        for (const auto& [who, refusal] : orders.refused) lock.tell(who, refusal);
    }

    void know(int place, const Connection& connection) {
        opened_[static_cast<std::size_t>(place)] = {connection.backend_pid(), connection.opened_at()};
    }

    std::unique_ptr<Connection>& at(int place) { return connections_[static_cast<std::size_t>(place)]; }

    static constexpr auto awake = Clock::time_point::min();

    const PoolSettings settings_;
    const Observe observe_;

    mutable std::mutex mutex_;
    Lending lending_;
    Loans loans_;
    std::vector<std::unique_ptr<Connection>> connections_;  ///< that rest, by their places
    std::vector<Opened> opened_;                            ///< by their places
    std::optional<DatabaseError> failure_;                  ///< of the last attempt to connect that failed
    Clock::time_point sleeping_until_ = awake;              ///< the housekeeper
    std::condition_variable_any chores_;
    std::optional<Recovery> recovery_;  // these two use all of the above
    std::jthread housekeeper_;
};

Pool::Pool(PoolSettings settings, Observe observe)
    : impl_(std::make_shared<PoolImpl>(std::move(settings), std::move(observe))) {}

Pool::Pool(std::shared_ptr<PoolImpl> impl, Lending::Use use, Deadline deadline)
    : impl_(std::move(impl)), use_(use), deadline_(deadline) {}

Pool Pool::reserved() const {
    return {impl_, Lending::Use::reserved, deadline_};
}

Pool Pool::until(Deadline deadline) const {
    return {impl_, use_, std::min(deadline_, deadline)};
}

Lease Pool::lease(std::source_location from) {
    auto borrowed = impl_->borrow(use_, deadline_, from);
    return {*impl_, borrowed.place, std::move(borrowed.connection), borrowed.since};
}

Rows Pool::run_safely(const Call& call, const Parameters& parameters) {
    std::optional<Lease> lease(this->lease(call.from));
    std::optional<Rerun> rerun;
    const auto started = Clock::now();
    for (;;) {
        bool sent = false;
        try {
            if (!lease) lease.emplace(this->lease(call.from));
            // A write is worth a look, for it can be repeated only if it was not sent.
            sent = call.statement.access == Access::read || !(*lease)->is_stale();
            if (!sent) (*lease)->close();
            return (*lease)->run_prepared(call, parameters, Connection::Begin::no);
        } catch (const DatabaseError& error) {
            lease.reset();
            if (!error.is_loss() || (sent && call.statement.access != Access::read)) throw;
            if (!rerun) rerun.emplace(std::min(deadline_, impl_->give_up_at(started)));
            if (!rerun->may_begin()) throw;
        }
    }
}

void Pool::pause(Clock::time_point until) {
    impl_->pause(until);
}

void Pool::resume() {
    impl_->resume();
}

std::vector<ConnectionReport> Pool::connections() const {
    return impl_->connections();
}

void Pool::renew() {
    impl_->renew();
}

void Pool::resize(int max, int min) {
    impl_->resize(max, min);
}

PoolState Pool::state() const {
    return impl_->state();
}

Lease::Lease(PoolImpl& pool, int place, std::unique_ptr<Connection> connection, Time since)
    : pool_(&pool), place_(place), connection_(std::move(connection)), since_(since) {}

Lease::Lease(Lease&& other) noexcept = default;

Lease::~Lease() {
    if (connection_) pool_->give_back(place_, std::move(connection_), since_);
}

}  // namespace postgres
