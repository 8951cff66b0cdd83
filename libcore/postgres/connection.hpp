// One connection to PostgreSQL, used by one thread at a time. Every call blocks, but never beyond its
// deadline; a connection that misses one is closed, or kept unanswered for whoever owns it to recover, so
// that nobody ever reads an answer to an earlier question.
#pragma once

#include <chrono>
#include <memory>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "libcore/postgres/call.hpp"
#include "libcore/postgres/connection_settings.hpp"
#include "libcore/postgres/error.hpp"
#include "libcore/postgres/libpq.hpp"
#include "libcore/postgres/observation.hpp"
#include "libcore/postgres/parameters.hpp"
#include "libcore/postgres/prepared_statements.hpp"
#include "libcore/postgres/rows.hpp"
#include "libcore/postgres/statement.hpp"

namespace postgres {

class Connection {
public:
    /// Connects; throws DatabaseError, also when asked to stop.
    explicit Connection(const ConnectionSettings& settings, Observe observe = {},
                        const std::stop_token& stop = {});
    /// To be opened.
    struct Unopened {};
    Connection(Unopened unopened, const ConnectionSettings& settings, Observe observe);
    ~Connection();
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    /// Goes on connecting until then; false if that was not enough, and it can be gone on with. Throws
    /// DatabaseError when it was in vain.
    bool open(Deadline until, const std::stop_token& stop = {});
    bool is_opening() const { return opening_ != nullptr; }

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
    /// The same, and waits a moment until the server has seen it, so that it is not counted there any more.
    static void end(const std::vector<std::unique_ptr<Connection>>& connections);

    /// Nothing takes longer than until then, besides its own limit.
    void set_deadline(Deadline deadline) { deadline_ = deadline; }
    /// From now on a missed deadline leaves the connection open, for `recover`.
    void keep_unanswered() { keeps_unanswered_ = true; }
    bool is_unanswered() const { return unanswered_; }
    /// False while a COMMIT or an opening is under way: a cancel would leave them in doubt.
    bool may_be_stopped() const { return !ends_transaction_ && !is_opening(); }
    /// The server says something until then, or is gone.
    bool hears_until(Deadline deadline) const;
    /// Asks the server to stop what it was asked last, and reads on until it is known to have nothing more to
    /// say. If that takes longer, the connection is closed.
    bool recover(std::chrono::milliseconds limit);

    /// What was learnt of the server since this was last called: it answered, or the connection was lost.
    enum class Verdict { none, answered, failed };
    Verdict take_verdict() { return std::exchange(verdict_, Verdict::none); }
    /// The server took writes and does not any more, or the reverse.
    bool has_changed_role() const { return changed_role_; }

    /// Also after it has ended.
    int backend_pid() const { return backend_pid_; }
    std::chrono::steady_clock::time_point opened_at() const { return opened_at_; }

private:
    friend class Transaction;
    friend class Pool;
    struct Opening;
    enum class Begin { no, yes };

    Rows run_prepared(const Call& call, const Parameters& parameters, Begin begin);
    Rows run_once(const Statement& statement, const std::vector<const char*>& values, Begin begin);
    Rows run_pipelined(const Statement& statement, const std::vector<const char*>& values, Begin begin);
    void begin();
    Result query(const char* name, const std::string& sql);
    Result query(const char* name, const std::string& sql, Deadline deadline);
    void flush(const char* name, Deadline deadline);
    Result next_result(const char* name, Deadline deadline);
    bool is_open() const { return connection_ && !unanswered_; }
    void must_be_open(const char* name) const;
    Deadline deadline() const;
    void note_role(const pg_result* error);
    [[noreturn]] void miss_deadline(const std::string& text);
    [[noreturn]] void lose(DatabaseError::Cause cause, const std::string& text, std::string sqlstate = {});
    void leave_unanswered();
    int close_keeping_socket() noexcept;
    void stop_statement(Deadline deadline);
    void drain(Deadline deadline);
    void ask_until_answered(Deadline deadline);

    LibpqConnection connection_;
    PreparedStatements prepared_;
    /// Behind a pooler each transaction tells its session what it has to know, as a query or as a script.
    std::string settings_query_, settings_script_;
    std::chrono::milliseconds query_timeout_;
    Observe observe_;
    std::unique_ptr<Opening> opening_;
    int backend_pid_ = 0;
    std::chrono::steady_clock::time_point opened_at_;
    Deadline deadline_ = Deadline::max();
    Verdict verdict_ = Verdict::none;
    bool read_only_ = false;
    bool changed_role_ = false;
    bool keeps_unanswered_ = false;
    bool unanswered_ = false;
    bool ends_transaction_ = false;  ///< what was asked last: not to be stopped half-way
};

}  // namespace postgres
