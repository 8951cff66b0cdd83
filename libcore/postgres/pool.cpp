#include "libcore/postgres/pool.hpp"

#include <algorithm>

#include "libcore/postgres/pool_impl.hpp"
#include "libcore/postgres/retry.hpp"

namespace postgres {

using Clock = std::chrono::steady_clock;

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
    Retry retry(std::min(deadline_, impl_->give_up_at(Clock::now())));
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
            if (!reads) lease->must_be_open(call.statement.name);
            sent = true;
            return lease->run_prepared(call, parameters, Connection::Begin::no);
        } catch (const DatabaseError& error) {
            if (sent && !reads && error.got_no_answer())
                throw CommitInDoubt(DatabaseError::Cause::connection, error.what(), error.sqlstate());
            const bool not_done = error.connection_lost() || error.is_read_only();
            if (!lent || !not_done || !retry.may_retry()) throw;
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
