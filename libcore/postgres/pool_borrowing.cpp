// Those who borrow connections, and what they are told when there is none.

#include <algorithm>
#include <string>
#include <variant>

#include "libcore/postgres/error_copy.hpp"
#include "libcore/postgres/lending_names.hpp"
#include "libcore/postgres/pool_impl.hpp"

namespace postgres {

namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

// What has just been used is not asked whether it lives, nor looked at.
constexpr std::chrono::milliseconds rest_before_ping = 500ms, rest_before_peek = 1ms;

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
    if (failure && refusal.reason == Lending::Reason::unreachable) throw own_copy(*failure);
    throw DatabaseError(DatabaseError::Cause::connection, "acquire: there is no connection");
}

}  // namespace

template <class Event>
PoolImpl::Borrowed PoolImpl::acquire(const Lending::Ask& ask, const std::source_location& from,
                                     Clock::time_point started, const Event& event) {
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

template <class Event>
PoolImpl::Borrowed PoolImpl::take_turn(const Lending::Ask& ask, Observation& seen, const Event& event) {
    PoolLock lock(mutex_);
    Actions actions;
    auto grant = settle(event(actions), actions, ask, seen, lock);
    while (!grant.open) {
        auto connection = std::move(at(grant.place));
        lock.unlock();
        if (is_sound(*connection, grant.rested, ask.deadline)) return {grant.place, std::move(connection)};
        end(std::move(connection), CloseReason::dead);
        lock.lock();
        actions = {};
        loans_.end(grant.place);
        grant =
            settle(lending_.found_dead(grant.place, ask, Clock::now(), actions), actions, ask, seen, lock);
    }
    opened_[static_cast<std::size_t>(grant.place)] = {.at = Clock::now()};
    return {grant.place, nullptr};
}

PoolImpl::Borrowed PoolImpl::borrow(Lending::Use use, Deadline deadline, const std::source_location& from) {
    Waiter self;
    const Lending::Ask ask{.who = &self,
                           .use = use,
                           .deadline = std::min(deadline, deadline_after(settings_.acquire_timeout)),
                           .since = Clock::now()};
    Borrowed borrowed = acquire(ask, from, ask.since,
                                [&](Actions& actions) { return lending_.ask(ask, ask.since, actions); });
    while (!borrowed.connection) {
        borrowed.connection = open(borrowed.place, ask, deadline, from);
        borrowed.since = Clock::now();
        if (borrowed.connection) break;
        borrowed = acquire(ask, from, Clock::now(), [&, place = borrowed.place](Actions& actions) {
            loans_.end(place);
            return lending_.server_full(place, ask, Clock::now(), actions);
        });
    }
    borrowed.connection->set_deadline(deadline);
    return borrowed;
}

void PoolImpl::release(int place, std::unique_ptr<Connection> connection, Clock::time_point since) {
    connection->set_deadline(Deadline::max());
    const auto verdict = connection->take_verdict();
    const bool moved = connection->has_changed_role();
    const bool unanswered = connection->is_unanswered();
    const bool usable = connection->usable();
    if (!usable && !unanswered) end(std::move(connection), CloseReason::broken);  // before its place is free
    const auto back = happened([&](Clock::time_point now, Actions& actions) {
        loans_.end(place);
        if (verdict == Connection::Verdict::answered) lending_.server_answered(now, actions);
        if (verdict == Connection::Verdict::failed) lending_.server_failed(true, now, actions);
        if (moved) lending_.changed_role(place, actions);
        if (unanswered) return lending_.quarantine(place, now, actions);
        at(place) = std::move(connection);
        lending_.release(place, usable, now, actions);
    });
    if (unanswered) recovery_->add(place, std::move(connection));
    if (observe_) observe_({.kind = Observation::Kind::use, .name = "use", .duration = back - since});
}

PoolImpl::Grant PoolImpl::settle(Lending::Answer answer, Actions& actions, const Lending::Ask& ask,
                                 Observation& seen, PoolLock& lock) {
    auto& self = *static_cast<Waiter*>(ask.who);
    auto now = ask.since;
    const bool waits = std::holds_alternative<Lending::Waits>(answer);
    if (waits) self.answer.reset();
    perform(actions, lock);
    if (waits) {
        lock.unlock();
        const bool woken = self.wake.wait_until(ask.deadline);
        lock.lock();
        if (!woken && !self.answer) {
            self.answer = lending_.give_up(&self, Clock::now());
        } else if (!woken) {
            lock.unlock();
            self.wake.wait_until(Deadline::max());  // it is about to be posted
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
    loans_.begin(grant.place, seen.from, now, grant.open);
    return grant;
}

/// A caller in a hurry is no reason to end what may be sound.
bool PoolImpl::is_sound(Connection& connection, Clock::duration rested, Deadline deadline) const {
    if (settings_.validation == Validation::off || rested < rest_before_peek) return true;
    if (connection.is_stale()) return false;
    if (settings_.validation == Validation::peek || rested < rest_before_ping) return true;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(
        std::min<Clock::duration>(deadline - Clock::now(), ping_patience));
    return connection.answers_within(std::max(left, least_ping_patience));
}

std::unique_ptr<Connection> PoolImpl::open(int place, const Lending::Ask& ask, Deadline deadline,
                                           const std::source_location& from) {
    std::unique_ptr<Connection> connection;
    try {
        connection = unopened();
        if (connection->open(deadline)) {
            happened([&](Clock::time_point now, Actions& actions) {
                know(place, *connection);
                loans_.opened(place, now);
                lending_.opened(place, now, actions);
            });
            return connection;
        }
    } catch (const DatabaseError& error) {
        if (error.is_full()) {
            const std::scoped_lock lock(mutex_);
            failure_.emplace(own_copy(error));
            return nullptr;
        }
        could_not_open(place, error);
        throw;
    } catch (...) {
        could_not_open(place, std::nullopt);
        throw;
    }
    // Closed half-way it would be one more at the server than there are here, until that notices.
    happened([&](Clock::time_point now, Actions& actions) {
        loans_.end(place);
        lending_.abandon_opening(place, now, actions);
    });
    recovery_->add(place, std::move(connection));
    const DatabaseError error(DatabaseError::Cause::deadline,
                              "acquire: connecting took longer than the caller has");
    if (observe_)
        observe_({.kind = Observation::Kind::acquire,
                  .name = "connecting",
                  .duration = Clock::now() - ask.since,
                  .outcome = outcome_of(error),
                  .error = &error,
                  .from = from});
    throw DatabaseError(error);
}

std::unique_ptr<Connection> PoolImpl::unopened() const {
    auto connection = std::make_unique<Connection>(Connection::Unopened{}, settings_.connection, observe_);
    connection->keep_unanswered();
    return connection;
}

void PoolImpl::could_not_open(int place, std::optional<DatabaseError> error) {
    const auto why = !error || error->is_refused_login() ? Lending::Failure::refused
                     : error->is_full()                  ? Lending::Failure::too_many
                                                         : Lending::Failure::unreachable;
    happened([&](Clock::time_point now, Actions& actions) {
        failure_.reset();
        if (error) failure_.emplace(own_copy(*error));
        loans_.end(place);
        lending_.failed(place, now, actions, why);
    });
}

}  // namespace postgres
