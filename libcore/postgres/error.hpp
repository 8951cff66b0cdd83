// What can go wrong between a program and its database, as facts a caller can act on.
// SQLSTATEs are read in libcore/postgres only; texts never repeat a parameter or a password.
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>

namespace postgres {

/// What an error says about the connection it happened on.
enum class ConnectionState { alive, timed_out, lost };

class DatabaseError : public std::runtime_error {
public:
    DatabaseError(const std::string& text, ConnectionState state, std::string sqlstate = {},
                  std::string constraint = {});

    /// Empty when the server said nothing: refused, cut off, or silent until the deadline.
    const std::string& sqlstate() const { return sqlstate_; }
    /// The constraint that refused the statement, or empty.
    const std::string& constraint() const { return constraint_; }

    bool connection_lost() const { return state_ != ConnectionState::alive; }
    bool timed_out() const { return state_ == ConnectionState::timed_out; }

    bool is_unique_violation() const;
    bool is_unique_violation(std::string_view constraint) const;
    bool is_check_violation(std::string_view constraint) const;
    /// A lock was not granted within `lock_timeout`, or at once under NOWAIT.
    bool is_lock_timeout() const;
    /// A value was refused (unparsable, out of range, violating a constraint): the same data fails again.
    bool is_data_error() const;
    /// Nothing was done and nothing is wrong with the transaction: all of it may run again.
    bool may_rerun_transaction() const;

private:
    std::string sqlstate_;
    std::string constraint_;
    ConnectionState state_;
};

/// COMMIT was sent and its answer never came. Re-read; never assume.
class CommitInDoubt : public DatabaseError {
public:
    using DatabaseError::DatabaseError;
};

/// Every connection of the pool stayed in use for all of the acquire timeout.
class PoolExhausted : public DatabaseError {
public:
    using DatabaseError::DatabaseError;
};

}  // namespace postgres
