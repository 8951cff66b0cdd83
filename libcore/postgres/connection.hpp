// One connection to PostgreSQL, used by one thread at a time. Every call blocks, but never beyond its
// deadline; a connection that misses one is closed, so that nobody ever reads an answer to an earlier
// question.
#pragma once

#include <chrono>
#include <stop_token>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "libcore/postgres/call.hpp"
#include "libcore/postgres/connection_settings.hpp"
#include "libcore/postgres/error.hpp"
#include "libcore/postgres/libpq.hpp"
#include "libcore/postgres/observation.hpp"
#include "libcore/postgres/parameters.hpp"
#include "libcore/postgres/rows.hpp"
#include "libcore/postgres/statement.hpp"

namespace postgres {

class Connection {
public:
    /// Connects; throws DatabaseError, also when asked to stop. Resolving a host name is libpq's and not
    /// covered by the timeout.
    explicit Connection(const ConnectionSettings& settings, Observe observe = {},
                        const std::stop_token& stop = {});
    ~Connection();
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    /// Runs the statement, prepared at its first use here; throws DatabaseError.
    template <class... Args>
    Rows run(const Call& call, const Args&... args) {
        return run_prepared(call, Parameters(args...), Begin::no);
    }

    /// Runs a script of any number of statements without parameters, under the same deadline.
    void execute(const std::string& script, const char* name = "script");

    /// Open, as far as this side knows, and outside any transaction: fit for the next user.
    bool usable() const;
    /// The server has closed the connection, or has said something unasked for, since the last answer.
    bool is_stale() const;
    /// The server answers in time. If not, the connection is closed.
    bool answers_within(std::chrono::milliseconds limit);
    /// Closes the connection: every later call throws.
    void close() noexcept;

    /// As PostgreSQL counts: 150004 for 15.4.
    int server_version() const;
    /// Also after it has ended.
    int backend_pid() const { return backend_pid_; }
    std::chrono::steady_clock::time_point opened_at() const { return opened_at_; }

private:
    friend class Transaction;
    enum class Begin { no, yes };
    enum class Prepare { no, yes, again };

    Rows run_prepared(const Call& call, const Parameters& parameters, Begin begin);
    Rows run_once(const Statement& statement, const std::vector<const char*>& values, Begin begin);
    Rows fly(const Statement& statement, const std::vector<const char*>& values, Begin begin,
             Prepare prepare);
    void send(const Statement& statement, const std::vector<const char*>& values, Begin begin,
              Prepare prepare);
    Result query(const char* name, const std::string& sql);
    Result query(const char* name, const std::string& sql, Deadline deadline);
    void flush(const char* name, Deadline deadline);
    Result next_result(const char* name, Deadline deadline);
    void must_be_open(const char* name) const;
    [[noreturn]] void lose(DatabaseError::Cause cause, const std::string& text, std::string sqlstate = {});

    LibpqConnection connection_;
    std::unordered_map<std::string_view, const char*> prepared_;  // SQL by the statement's name
    std::chrono::milliseconds query_deadline_;
    Observe observe_;
    int backend_pid_ = 0;
    std::chrono::steady_clock::time_point opened_at_;
};

}  // namespace postgres
