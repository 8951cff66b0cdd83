// What can go wrong between a program and its database, as facts a caller can act on.
// SQLSTATEs are read in libcore/postgres only; texts never repeat a parameter or a password.
#pragma once

#include <chrono>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace postgres {

class DatabaseError : public std::runtime_error {
public:
    enum class Cause {
        server,      ///< the server answered with an error; the connection lives on
        deadline,    ///< no answer in time
        connection,  ///< there was no connection, or it broke
        exhausted,   ///< the pool had no connection to lend
    };

    DatabaseError(Cause cause, const std::string& text, std::string sqlstate = {},
                  std::string constraint = {});

    /// Empty when the server said nothing.
    const std::string& sqlstate() const { return sqlstate_; }
    /// The constraint that refused the statement, or empty.
    const std::string& constraint() const { return constraint_; }

    /// There is no connection, or it broke. Not: no answer in time.
    bool connection_lost() const { return cause_ == Cause::connection; }
    /// The same, or no answer in time.
    bool got_no_answer() const { return cause_ == Cause::deadline || cause_ == Cause::connection; }
    /// By the server's clock or by ours.
    bool timed_out() const;

    /// What kind it is, in a word for metrics: "constraint", "connection", "deadlock".
    std::string_view type() const;

    bool is_unique_violation() const;
    bool is_unique_violation(std::string_view constraint) const;
    bool is_foreign_key_violation() const;
    bool is_check_violation(std::string_view constraint) const;
    /// The server is there and wants nothing to do with this user, password or database.
    bool is_refused_login() const;
    /// The server, the pooler before it, this user or this database has no room for another connection.
    bool is_full() const;
    /// A lock was not granted within `lock_timeout`, or at once under NOWAIT.
    bool is_lock_timeout() const;
    /// The server has ended the session of a transaction that asked nothing for too long.
    bool sat_idle() const;
    /// The server takes no writes, being or having become a copy of another: nothing was done.
    bool is_read_only() const;
    /// The values were refused (unparsable, out of range, against a constraint): they will be again.
    bool is_data_error() const;
    /// The transaction met another one, or lost a prepared statement: all of it may run again.
    bool may_rerun_transaction() const;

private:
    std::string sqlstate_;
    std::string constraint_;
    Cause cause_;
};

/// COMMIT, or a statement that writes and commits by itself, was sent and its answer never came. Re-read;
/// never assume.
class CommitInDoubt : public DatabaseError {
public:
    using DatabaseError::DatabaseError;
};

/// The pool has nothing for this caller, and says when to come again: sooner, it would be the same.
class NotServed : public DatabaseError {
public:
    NotServed(Cause cause, const std::string& text, std::chrono::milliseconds retry_after,
              std::string sqlstate = {})
        : DatabaseError(cause, text, std::move(sqlstate)), retry_after_(retry_after) {}

    std::chrono::milliseconds retry_after() const { return retry_after_; }

private:
    std::chrono::milliseconds retry_after_;
};

/// All connections stayed in use until the caller's time was up, or so many wait, or for so long already,
/// that he need not begin to; or an operator has paused the pool.
class PoolExhausted : public NotServed {
public:
    PoolExhausted(const std::string& text, std::chrono::milliseconds retry_after)
        : NotServed(Cause::exhausted, text, retry_after) {}
};

/// The server has failed so often in a row that nobody is let through.
class CircuitOpen : public NotServed {
public:
    CircuitOpen(const std::string& text, std::chrono::milliseconds retry_after, std::string sqlstate)
        : NotServed(Cause::connection, text, retry_after, std::move(sqlstate)) {}
};

}  // namespace postgres
