// A transaction as a scope: committed when told to, otherwise rolled back.
#pragma once

#include <chrono>
#include <cstddef>
#include <source_location>
#include <type_traits>
#include <utility>

#include "libcore/postgres/connection.hpp"
#include "libcore/postgres/pool.hpp"
#include "libcore/postgres/retry.hpp"

namespace postgres {

/// One at a time on a connection. BEGIN travels with the first statement, so an unused transaction costs
/// nothing.
class Transaction {
public:
    explicit Transaction(Connection& connection);
    ~Transaction();
    Transaction(const Transaction&) = delete;
    Transaction& operator=(const Transaction&) = delete;

    template <class... Args>
    Rows run(const Call& call, const Args&... args) {
        const auto begin = std::exchange(begun_, true) ? Connection::Begin::no : Connection::Begin::yes;
        return connection_.run_prepared(call, Parameters(args...), begin);
    }

    /// A script of any number of statements without parameters.
    void execute(const std::string& script, const char* name = "script");

    /// Throws CommitInDoubt when the connection is lost before the answer; any other error means rolled back.
    void commit();

private:
    void finish(Observation::Outcome outcome, const DatabaseError* error = nullptr) noexcept;

    Connection& connection_;
    std::chrono::steady_clock::time_point started_;
    bool begun_ = false;
    bool finished_ = false;
};

/// Leases a connection, runs `f(Transaction&)` and commits. On a deadlock or a serialization failure, when
/// the server takes no writes any more, or when the connection is lost before COMMIT is sent, all of it runs
/// again, so `f` must have no effect outside the transaction. Gives the value of `f`.
template <class F>
std::invoke_result_t<F&, Transaction&> transact(Pool& pool, F&& f,
                                                std::source_location from = std::source_location::current()) {
    for (Retry rerun(pool.deadline());;) {
        bool lent = false;
        try {
            const Lease lease = pool.lease(from);
            lent = true;
            Transaction transaction(*lease);
            if constexpr (std::is_void_v<std::invoke_result_t<F&, Transaction&>>) {
                f(transaction);
                return transaction.commit();
            } else {
                auto value = f(transaction);
                transaction.commit();
                return value;
            }
        } catch (const CommitInDoubt&) {
            throw;
        } catch (const DatabaseError& error) {
            if (!lent || !rerun.may_retry_after(error)) throw;
        }
    }
}

}  // namespace postgres
