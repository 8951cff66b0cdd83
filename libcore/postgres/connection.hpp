// One connection to PostgreSQL, used by one thread at a time. Every call blocks, but never beyond its
// deadline; a connection that misses one is closed, so that nobody ever reads an answer to an earlier
// question.
#pragma once

#include <chrono>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "libcore/postgres/error.hpp"
#include "libcore/postgres/libpq.hpp"
#include "libcore/postgres/observation.hpp"
#include "libcore/postgres/parameters.hpp"
#include "libcore/postgres/rows.hpp"
#include "libcore/postgres/statement.hpp"

namespace postgres {

/// A zero means no limit, everywhere.
struct ConnectionSettings {
    std::string url;
    std::string application_name = "tidings";
    /// As libpq knows them, where the URL does not say; empty leaves it to libpq.
    std::string sslmode{};
    std::string sslrootcert{};
    std::chrono::milliseconds connect_timeout{10'000};
    /// Enforced by the server; `query_deadline` is ours, for when the server is gone, and a little longer.
    std::chrono::milliseconds statement_timeout{15'000};
    std::chrono::milliseconds query_deadline{16'000};
    std::chrono::milliseconds lock_timeout{0};
    /// More of the session's settings, such as {"enable_seqscan", "off"}.
    std::map<std::string, std::string> session{};
};

class Connection {
public:
    /// Connects; throws DatabaseError. Resolving a host name is libpq's and not covered by the timeout.
    explicit Connection(const ConnectionSettings& settings, Observe observe = {});
    ~Connection();
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    /// Runs the statement, prepared at its first use here; throws DatabaseError.
    template <class... Args>
    Rows run(const Statement& statement, const Args&... args) {
        return run_prepared(statement, Parameters(args...), Begin::no);
    }

    /// Runs a script of any number of statements without parameters, under the same deadline.
    void execute(const std::string& script, const char* name = "script");

    /// Open, as far as this side knows, and outside any transaction: fit for the next user.
    bool usable() const;
    /// The server has closed the connection, or has said something unasked for, since the last answer.
    bool is_stale() const;
    /// Closes the connection: every later call throws.
    void close() noexcept;

    /// As PostgreSQL counts: 150004 for 15.4.
    int server_version() const;
    int backend_pid() const;

private:
    friend class Transaction;
    enum class Begin { no, yes };
    enum class Prepare { no, yes, again };

    Rows run_prepared(const Statement& statement, const Parameters& parameters, Begin begin);
    Rows run_once(const Statement& statement, const std::vector<const char*>& values, Begin begin);
    Rows fly(const Statement& statement, const std::vector<const char*>& values, Begin begin,
             Prepare prepare);
    void send(const Statement& statement, const std::vector<const char*>& values, Begin begin,
              Prepare prepare);
    Result query(const char* name, const std::string& sql);
    void flush(const char* name, Deadline deadline);
    Result next_result(const char* name, Deadline deadline);
    void must_be_open(const char* name) const;
    [[noreturn]] void lose(DatabaseError::Cause cause, const std::string& text, std::string sqlstate = {});

    LibpqConnection connection_;
    std::unordered_map<std::string_view, const char*> prepared_;  // SQL by the statement's name
    std::chrono::milliseconds query_deadline_;
    Observe observe_;
};

}  // namespace postgres
