#include "libcore/postgres/pool.hpp"

#include <algorithm>

#include "libcore/postgres/lending_names.hpp"
#include "libcore/postgres/pool_impl.hpp"
#include "libcore/postgres/retry.hpp"

namespace postgres {

using Clock = std::chrono::steady_clock;

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
        if (const auto loan = loans_.of(static_cast<int>(i))) {
            report.since = loan->since;
            report.from = loan->from;
            report.overdue = loan->overdue;
        }
        reports.push_back(report);
    }
    return reports;
}

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
    const bool reads = call.statement.access == Access::read;
    Retry rerun(std::min(deadline_, impl_->give_up_at(Clock::now())));
    for (;;) {
        bool lent = false, sent = false;
        try {
            const Lease lease = this->lease(call.from);
            lent = true;
            // A write is worth a look, for it can be repeated only if it was not sent.
            if (!reads && lease->is_stale()) {
                lease->close();
                throw DatabaseError(DatabaseError::Cause::connection,
                                    std::string(call.statement.name) + ": the connection was lost earlier");
            }
            sent = true;
            return lease->run_prepared(call, parameters, Connection::Begin::no);
        } catch (const DatabaseError& error) {
            if (sent && !reads && error.got_no_answer())
                throw CommitInDoubt(DatabaseError::Cause::connection, error.what(), error.sqlstate());
            if (!lent || !error.connection_lost() || !rerun.may_retry()) throw;
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
    if (connection_) pool_->release(place_, std::move(connection_), since_);
}

}  // namespace postgres
