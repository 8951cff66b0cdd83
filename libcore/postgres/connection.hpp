// One connection to PostgreSQL, used by one thread at a time. Every call blocks, but never beyond its
// deadline; a connection that misses one is closed, so that nobody ever reads an answer to an earlier
// question.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "libcore/postgres/error.hpp"
#include "libcore/postgres/observation.hpp"
#include "libcore/postgres/parameters.hpp"
#include "libcore/postgres/rows.hpp"
#include "libcore/postgres/statement.hpp"

struct pg_conn;

namespace postgres {

/// A zero means no limit, everywhere.
struct ConnectionSettings {
    std::string url;
    std::string application_name = "tidings";
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
    void execute(const std::string& script);

    /// Open, as far as this side knows, and outside any transaction: fit for the next user.
    bool usable() const;
    /// True when the server has closed the connection or has said something unasked for since its last use.
    /// Never blocks.
    bool closed_by_server();
    /// Closes the connection: every later call throws.
    void close() noexcept;

    /// As PostgreSQL counts: 150004 for 15.4.
    int server_version() const;
    int backend_pid() const;

private:
    friend class Transaction;
    using Deadline = std::chrono::steady_clock::time_point;
    enum class Begin { no, yes };
    enum class Prepare { no, yes, again };
    struct Close {
        void operator()(pg_conn* connection) const noexcept;
    };

    void connect(const ConnectionSettings& settings);
    Rows run_prepared(const Statement& statement, const Parameters& parameters, Begin begin);
    Rows fly(const Statement& statement, const std::vector<const char*>& values, Begin begin,
             Prepare prepare);
    void send(const Statement& statement, const std::vector<const char*>& values, Begin begin,
              Prepare prepare);
    Result simple_query(const char* label, const char* sql);
    Result next_result(const char* label, Deadline deadline);
    void wait(short events, const char* label, Deadline deadline);
    void flush(const char* label, Deadline deadline);
    Deadline deadline() const;
    void must_be_open() const;
    [[noreturn]] void lose(const char* label, ConnectionState state, const std::string& why);
    [[noreturn]] void raise(const char* label, const pg_result* result);

    std::unique_ptr<pg_conn, Close> connection_;
    std::unordered_map<std::string_view, const char*> prepared_;  // SQL by statement name
    std::chrono::milliseconds query_deadline_;
    Observe observe_;
};

}  // namespace postgres
