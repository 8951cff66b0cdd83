// A bounded set of connections that threads borrow one at a time, first come, first served.
// Connections are made by the threads that borrow them; a thread of the pool's own opens some ahead and looks
// after those that rest.
#pragma once

#include <chrono>
#include <memory>

#include "libcore/postgres/connection.hpp"
#include "libcore/postgres/lending.hpp"
#include "libcore/postgres/pool_settings.hpp"

namespace postgres {

class PoolImpl;

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

    Lease(PoolImpl& pool, int place, std::unique_ptr<Connection> connection);

    PoolImpl* pool_;
    int place_;
    std::unique_ptr<Connection> connection_;
};

/// Thread-safe. A handle: copies share the connections, which end with the last of them.
class Pool {
public:
    explicit Pool(PoolSettings settings, Observe observe = {});

    /// The same connections, for those whom the reserve is for.
    Pool reserved() const;

    /// Runs one statement, committed by itself, on any connection. Throws like `lease` and `Connection::run`.
    template <class... Args>
    Rows run(const Statement& statement, const Args&... args) {
        return lease()->run(statement, args...);
    }

    /// Waits for its turn, at most until the deadline and no longer than `acquire_timeout`, then throws
    /// PoolExhausted; it does so at once when waiting would be in vain. Throws DatabaseError when a
    /// connection is needed and cannot be made.
    Lease lease(Deadline deadline = Deadline::max());

    /// No connection made before this call is lent after it: those that rest are closed now, those that are
    /// out when they come back. For what a session keeps to its end, such as the rules of time zones.
    void renew();

    /// Effective at once for what rests and for those who wait; what is out above it ends when it comes back.
    void resize(int max, int min);

    PoolState state() const;

private:
    Pool(std::shared_ptr<PoolImpl> impl, Lending::Use use);

    std::shared_ptr<PoolImpl> impl_;
    Lending::Use use_ = Lending::Use::ordinary;
};

}  // namespace postgres
