// A bounded set of connections that threads borrow one at a time, first come, first served.
// Connections are made by the threads that borrow them, as far as these have the time; threads of the pool's
// own open some ahead and look after those that rest.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <source_location>
#include <string_view>
#include <vector>

#include "libcore/postgres/connection.hpp"
#include "libcore/postgres/lending.hpp"
#include "libcore/postgres/pool_settings.hpp"

namespace postgres {

class PoolImpl;

/// One of a pool's connections, as it is at a moment.
struct ConnectionReport {
    std::string_view state;  ///< opening, active, idle, validating, closing
    int backend_pid;         ///< 0 while it is being opened
    std::chrono::steady_clock::time_point opened_at;
    /// Since when it is being opened, lent, or idle; of one that is validated or closed, idle until then.
    std::chrono::steady_clock::time_point since;
    int uses;
    std::source_location from{};  ///< of a loan
    bool overdue = false;
};

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

    using Time = std::chrono::steady_clock::time_point;

    Lease(PoolImpl& pool, int place, std::unique_ptr<Connection> connection, Time since);

    PoolImpl* pool_;
    int place_;
    std::unique_ptr<Connection> connection_;
    Time since_;
};

/// Thread-safe. A handle: copies share the connections, which end with the last of them.
class Pool {
public:
    explicit Pool(PoolSettings settings, Observe observe = {});

    /// The same connections, for those whom the reserve is for: what records outcomes, and what tells whether
    /// the service is ready and its callers known.
    Pool reserved() const;

    /// The same, for a caller whose time is up then: neither waiting for a connection nor what is done over
    /// it takes longer. What the server has not answered by then is stopped there, and nobody waits for that.
    Pool until(Deadline deadline) const;
    Deadline deadline() const { return deadline_; }

    /// Runs one statement, committed by itself, on any connection. Throws like `lease` and `Connection::run`.
    /// A read whose connection is lost runs again over another, as long as the deadline and `acquire_timeout`
    /// allow; so does what was never sent, and what a server refused because it takes no writes any more.
    template <class... Args>
    Rows run(const Call& call, const Args&... args) {
        return run_safely(call, Parameters(args...));
    }

    /// Waits for its turn, at most until the deadline and no longer than `acquire_timeout`, then throws
    /// PoolExhausted; it does so at once when waiting would be in vain. Throws DatabaseError when a
    /// connection is needed and cannot be made, and CircuitOpen at once after some failures in a row. Making
    /// one takes up to `connect_timeout` more: only the caller's deadline bounds the whole.
    Lease lease(std::source_location from = std::source_location::current());

    /// No connection made before this call is lent after it: those that rest are closed now, those that are
    /// out when they come back. For what a session keeps to its end, such as the rules of time zones.
    void renew();

    /// Effective at once for what rests and for those who wait; what is out above it ends when it comes back.
    /// Throws std::invalid_argument if `max` is below 1; a `min` above it means `max`.
    void resize(int max, int min);

    /// Nobody is lent anything until then, or until `resume`: who asks waits, at most until his own deadline.
    /// What is out goes on, and comes back.
    void pause(std::chrono::steady_clock::time_point until);
    void resume();

    PoolState state() const;
    std::vector<ConnectionReport> connections() const;

private:
    Pool(std::shared_ptr<PoolImpl> impl, Lending::Use use, Deadline deadline);
    Rows run_safely(const Call& call, const Parameters& parameters);

    std::shared_ptr<PoolImpl> impl_;
    Lending::Use use_ = Lending::Use::ordinary;
    Deadline deadline_ = Deadline::max();
};

}  // namespace postgres
