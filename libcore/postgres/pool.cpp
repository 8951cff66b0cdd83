#include "libcore/postgres/pool.hpp"

#include <atomic>
#include <cassert>
#include <condition_variable>
#include <deque>
#include <list>
#include <mutex>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "libcore/postgres/jitter.hpp"

namespace postgres {

namespace {

using Clock = std::chrono::steady_clock;

/// What a borrower's turn gives: a connection, or (null) the right to open one.
struct Grant {
    std::unique_ptr<Connection> connection;
    Clock::time_point expires{};
    int generation = 0;
    int uses = 0;
};

}  // namespace

/// Invariant: while anybody waits, no connection is idle and no slot is free. So whoever comes later cannot
/// overtake: there is nothing to take.
class Pool::Impl {
public:
    Impl(PoolSettings settings, Observe observe)
        : settings_(std::move(settings)), observe_(std::move(observe)) {
        if (settings_.max < 1) throw std::invalid_argument("a pool needs room for one connection");
    }

    ~Impl() { assert(total_ == static_cast<int>(idle_.size()) && "a lease outlives its pool"); }

    Grant borrow() {
        Grant grant =
            observed(observe_, Observation::Kind::acquire, "acquire", [this] { return take_turn(); });
        if (grant.connection && (is_over(grant) || grant.connection->is_stale())) grant.connection.reset();
        if (!grant.connection) {
            try {
                grant = open();
            } catch (...) {
                pass_on({});
                throw;
            }
        }
        ++grant.uses;
        return grant;
    }

    void give_back(Grant grant) {
        const bool used_up = settings_.uses != 0 && grant.uses >= settings_.uses;
        if (!grant.connection->usable() || used_up || is_over(grant)) grant.connection.reset();
        pass_on(std::move(grant));
        close_unneeded();
    }

    void renew() {
        std::deque<Idle> closing;  // ends after the lock does
        const std::scoped_lock lock(mutex_);
        ++generation_;
        closing.swap(idle_);
        total_ -= static_cast<int>(closing.size());
    }

    PoolState state() const {
        const std::scoped_lock lock(mutex_);
        const int idle = static_cast<int>(idle_.size());
        return {total_, idle, total_ - idle, static_cast<int>(waiting_.size()), settings_.max};
    }

private:
    struct Idle {
        Grant grant;
        Clock::time_point since;
    };

    struct Waiter {
        std::condition_variable changed;
        bool served = false;
        Grant grant;
    };

    Grant take_turn() {
        std::unique_lock lock(mutex_);
        if (!idle_.empty()) {
            Grant grant = std::move(idle_.back().grant);
            idle_.pop_back();
            return grant;
        }
        if (total_ < settings_.max) {
            ++total_;
            return {};
        }
        Waiter self;
        const auto place = waiting_.insert(waiting_.end(), &self);
        if (self.changed.wait_for(lock, settings_.acquire_timeout, [&] { return self.served; }))
            return std::move(self.grant);
        waiting_.erase(place);
        throw PoolExhausted(DatabaseError::Cause::exhausted,
                            "acquire: all " + std::to_string(settings_.max) + " connections stayed in use");
    }

    Grant open() const {
        const int generation = generation_;  // before it connects: a renewal meanwhile means this one, too
        auto connection = std::make_unique<Connection>(settings_.connection, observe_);
        if (settings_.lifetime == settings_.lifetime.zero())
            return {std::move(connection), Clock::time_point::max(), generation};
        return {std::move(connection), Clock::now() + settings_.lifetime - jitter(settings_.lifetime),
                generation};
    }

    /// To whoever waits longest; else a connection rests, and a bare slot is free again.
    void pass_on(Grant grant) {
        const std::scoped_lock lock(mutex_);
        if (!waiting_.empty()) {
            Waiter& next = *waiting_.front();
            waiting_.pop_front();
            next.grant = std::move(grant);
            next.served = true;
            next.changed.notify_one();  // under the lock: `next` ends with its owner's wait
        } else if (grant.connection) {
            idle_.push_back({std::move(grant), Clock::now()});
        } else {
            --total_;
        }
    }

    /// The connection used last is lent first, so the front has rested longest.
    void close_unneeded() {
        std::vector<Idle> closing;  // ends after the lock does
        const std::scoped_lock lock(mutex_);
        const auto rested_since = Clock::now() - settings_.idle_timeout;
        while (!idle_.empty() && total_ > settings_.min && idle_.front().since < rested_since) {
            closing.push_back(std::move(idle_.front()));
            idle_.pop_front();
            --total_;
        }
    }

    bool is_over(const Grant& grant) const {
        return grant.generation != generation_ || Clock::now() >= grant.expires;
    }

    const PoolSettings settings_;
    const Observe observe_;

    std::atomic<int> generation_{0};
    mutable std::mutex mutex_;
    int total_ = 0;  // connections and slots out, in being made, and idle
    std::deque<Idle> idle_;
    std::list<Waiter*> waiting_;  // they stand on their threads' stacks, the first to come in front
};

Pool::Pool(PoolSettings settings, Observe observe)
    : impl_(std::make_unique<Impl>(std::move(settings), std::move(observe))) {}

Pool::~Pool() = default;

Lease Pool::lease() {
    Grant grant = impl_->borrow();
    return {*this, std::move(grant.connection), grant.expires, grant.generation, grant.uses};
}

void Pool::renew() {
    impl_->renew();
}

PoolState Pool::state() const {
    return impl_->state();
}

Lease::Lease(Pool& pool, std::unique_ptr<Connection> connection, Clock::time_point expires, int generation,
             int uses)
    : pool_(&pool),
      connection_(std::move(connection)),
      expires_(expires),
      generation_(generation),
      uses_(uses) {}

Lease::Lease(Lease&& other) noexcept = default;

Lease::~Lease() {
    if (connection_) pool_->impl_->give_back({std::move(connection_), expires_, generation_, uses_});
}

}  // namespace postgres
