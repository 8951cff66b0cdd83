// A bounded set of connections that threads borrow one at a time, first come, first served.
// Owns no thread: connections are made, checked and retired by the threads that borrow and return them.
#pragma once

#include <chrono>
#include <memory>

#include "libcore/postgres/connection.hpp"

namespace postgres {

struct PoolSettings {
    ConnectionSettings connection;
    int max = 4;
    /// Idle connections above this many are closed after `idle_timeout`. Nothing is opened before it is
    /// needed.
    int min = 1;
    std::chrono::milliseconds acquire_timeout{3'000};
    std::chrono::milliseconds idle_timeout{30'000};
    /// Less up to 10 %, so that connections made together do not end together. Zero means for ever.
    std::chrono::milliseconds lifetime{1'800'000};
    /// How often a connection is lent before another takes its place. Zero means for ever.
    int uses = 0;
};

/// `active` counts borrowed connections and those being made for a borrower.
struct PoolState {
    int total = 0;
    int idle = 0;
    int active = 0;
    int waiting = 0;
    int max = 0;
};

class Pool;

/// Exclusive use of one connection, which goes back to the pool at the end. Must not outlive the pool.
class Lease {
public:
    Lease(Lease&& other) noexcept;
    Lease& operator=(Lease&&) = delete;
    ~Lease();

    Connection& operator*() const { return *connection_; }
    Connection* operator->() const { return connection_.get(); }

private:
    friend class Pool;
    using Clock = std::chrono::steady_clock;

    Lease(Pool& pool, std::unique_ptr<Connection> connection, Clock::time_point expires, int generation,
          int uses);

    Pool* pool_;
    std::unique_ptr<Connection> connection_;
    Clock::time_point expires_;
    int generation_;
    int uses_;
};

/// Thread-safe.
class Pool {
public:
    explicit Pool(PoolSettings settings, Observe observe = {});
    ~Pool();

    /// Runs one statement, committed by itself, on any connection. Throws like `lease` and `Connection::run`.
    template <class... Args>
    Rows run(const Statement& statement, const Args&... args) {
        return lease()->run(statement, args...);
    }

    /// Waits at most `acquire_timeout` for its turn, then throws PoolExhausted; throws DatabaseError when it
    /// has to connect and cannot.
    Lease lease();

    /// No connection made before this call is lent after it: those that rest are closed now, those that are
    /// out when they come back. For what a session keeps to its end, such as the rules of time zones.
    void renew();

    PoolState state() const;

private:
    friend class Lease;
    class Impl;

    std::unique_ptr<Impl> impl_;
};

}  // namespace postgres
