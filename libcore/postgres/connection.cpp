#include "libcore/postgres/connection.hpp"

#include <libpq-fe.h>
#include <poll.h>

#include <cassert>
#include <utility>

namespace postgres {

namespace {

using Cause = DatabaseError::Cause;

std::string field(const pg_result* result, int code) {
    const char* text = PQresultErrorField(result, code);
    return text ? text : "";
}

/// Data exceptions quote the value ("invalid input syntax for type date: …"); other errors do so only in
/// their detail, which is not read.
std::string problem_of(const pg_result* result) {
    const std::string sqlstate = field(result, PG_DIAG_SQLSTATE);
    if (sqlstate.empty()) return "cut off";
    const std::string text =
        sqlstate.starts_with("22") ? "a value was refused" : field(result, PG_DIAG_MESSAGE_PRIMARY);
    return text + " (" + sqlstate + ")";
}

[[noreturn]] void raise(const char* name, const pg_result* result) {
    throw DatabaseError(Cause::server, std::string(name) + ": " + problem_of(result),
                        field(result, PG_DIAG_SQLSTATE), field(result, PG_DIAG_CONSTRAINT_NAME));
}

/// A prepared statement that the server no longer has (a pooler changed servers), has already (the same), or
/// cannot use since the tables changed.
bool is_about_preparation(const DatabaseError& error) {
    return error.sqlstate() == "26000" || error.sqlstate() == "42P05" || error.sqlstate() == "0A000";
}

}  // namespace

Connection::Connection(const ConnectionSettings& settings, Observe observe, const std::stop_token& stop)
    : query_deadline_(settings.query_deadline), observe_(std::move(observe)) {
    connection_ =
        observed(observe_, {.kind = Observation::Kind::connect, .name = "connect"}, [&](Observation& seen) {
            auto made = connect(settings, stop);
            seen.backend_pid = backend_pid_ = PQbackendPID(made.get());
            return made;
        });
    opened_at_ = std::chrono::steady_clock::now();
}

Connection::~Connection() = default;

void Connection::execute(const std::string& script, const char* name) {
    observed(observe_, {.kind = Observation::Kind::statement, .name = name},
             [&](Observation&) { return query(name, script); });
}

bool Connection::usable() const {
    return connection_ && PQstatus(connection_.get()) == CONNECTION_OK &&
           PQtransactionStatus(connection_.get()) == PQTRANS_IDLE;
}

bool Connection::is_stale() const {
    return !connection_ || wait_for(PQsocket(connection_.get()), POLLIN, std::chrono::steady_clock::now());
}

bool Connection::answers_within(std::chrono::milliseconds limit) {
    try {
        observed(observe_, {.kind = Observation::Kind::statement, .name = "ping"},
                 [&](Observation&) { return query("ping", "", deadline_after(limit)); });
        return usable();
    } catch (const DatabaseError&) {
        close();
        return false;
    }
}

void Connection::close() noexcept {
    connection_.reset();
    prepared_.clear();
}

int Connection::server_version() const {
    return PQserverVersion(connection_.get());
}

Rows Connection::run_prepared(const Call& call, const Parameters& parameters, Begin begin) {
    return observed(observe_,
                    {.kind = Observation::Kind::statement,
                     .name = call.statement.name,
                     .statement = &call.statement,
                     .parameters = parameters.types(),
                     .from = call.from},
                    [&](Observation&) { return run_once(call.statement, parameters.values(), begin); });
}

Rows Connection::run_once(const Statement& statement, const std::vector<const char*>& values, Begin begin) {
    must_be_open(statement.name);
    const auto known = prepared_.find(statement.name);
    assert(known == prepared_.end() || std::string_view(known->second) == statement.sql);
    Prepare prepare = known == prepared_.end() ? Prepare::yes : Prepare::no;
    const bool alone = begin == Begin::yes || usable();
    try {
        return fly(statement, values, begin, prepare);
    } catch (const DatabaseError& error) {
        if (error.connection_lost() || !is_about_preparation(error)) throw;
        prepared_.erase(statement.name);
        if (!alone) throw;
        prepare = error.sqlstate() == "26000" ? Prepare::yes : Prepare::again;
    }
    if (begin == Begin::yes) query("rollback", "ROLLBACK");
    return fly(statement, values, begin, prepare);
}

/// One round trip, whatever it has to carry: [BEGIN] [DEALLOCATE] [PREPARE] EXECUTE.
Rows Connection::fly(const Statement& statement, const std::vector<const char*>& values, Begin begin,
                     Prepare prepare) {
    const Deadline deadline = deadline_after(query_deadline_);
    send(statement, values, begin, prepare);
    flush(statement.name, deadline);

    const int preparation =
        prepare == Prepare::no ? -1 : int(begin == Begin::yes) + int(prepare == Prepare::again);
    Result answer, error;
    for (int command = 0;;) {
        Result result = next_result(statement.name, deadline);
        const ExecStatusType status = PQresultStatus(result.get());
        if (!result) {
            ++command;
        } else if (status == PGRES_PIPELINE_SYNC) {
            break;
        } else if (status == PGRES_FATAL_ERROR) {
            error = std::move(result);
        } else if (status != PGRES_PIPELINE_ABORTED) {
            if (command == preparation) prepared_.emplace(statement.name, statement.sql);
            answer = std::move(result);
        }
    }
    PQexitPipelineMode(connection_.get());
    if (error) raise(statement.name, error.get());
    return Rows(std::move(answer));
}

void Connection::send(const Statement& statement, const std::vector<const char*>& values, Begin begin,
                      Prepare prepare) {
    pg_conn* const connection = connection_.get();
    const auto plain = [&](const char* sql) {
        return PQsendQueryParams(connection, sql, 0, nullptr, nullptr, nullptr, nullptr, 0) == 1;
    };
    const std::string deallocate = "DEALLOCATE \"" + std::string(statement.name) + '"';
    const bool sent = PQenterPipelineMode(connection) == 1 && (begin == Begin::no || plain("BEGIN")) &&
                      (prepare != Prepare::again || plain(deallocate.c_str())) &&
                      (prepare == Prepare::no ||
                       PQsendPrepare(connection, statement.name, statement.sql, 0, nullptr) == 1) &&
                      PQsendQueryPrepared(connection, statement.name, static_cast<int>(values.size()),
                                          values.data(), nullptr, nullptr, 0) == 1 &&
                      PQpipelineSync(connection) == 1;
    if (!sent) lose(Cause::connection, std::string(statement.name) + ": the statement could not be sent");
}

Result Connection::query(const char* name, const std::string& sql) {
    return query(name, sql, deadline_after(query_deadline_));
}

Result Connection::query(const char* name, const std::string& sql, Deadline deadline) {
    must_be_open(name);
    if (!PQsendQuery(connection_.get(), sql.c_str()))
        lose(Cause::connection, std::string(name) + ": the statement could not be sent");
    flush(name, deadline);

    Result answer, error;
    while (Result result = next_result(name, deadline)) {
        const ExecStatusType status = PQresultStatus(result.get());
        if (status == PGRES_COPY_IN || status == PGRES_COPY_OUT || status == PGRES_COPY_BOTH)
            lose(Cause::connection, std::string(name) + ": COPY is not spoken here");
        (status == PGRES_FATAL_ERROR ? error : answer) = std::move(result);
    }
    if (error) raise(name, error.get());
    return answer;
}

void Connection::flush(const char* name, Deadline deadline) {
    pg_conn* const connection = connection_.get();
    for (int unsent; (unsent = PQflush(connection)) != 0;) {
        if (unsent < 0) lose(Cause::connection, std::string(name) + ": the connection was lost");
        if (!wait_for(PQsocket(connection), POLLIN | POLLOUT, deadline))
            lose(Cause::deadline, std::string(name) + ": the statement could not be sent in time");
        // The server may be stuck writing to us while we are writing to it.
        if (!PQconsumeInput(connection))
            lose(Cause::connection, std::string(name) + ": the connection was lost");
    }
}

Result Connection::next_result(const char* name, Deadline deadline) {
    pg_conn* const connection = connection_.get();
    while (PQisBusy(connection)) {
        if (!wait_for(PQsocket(connection), POLLIN, deadline))
            lose(Cause::deadline, std::string(name) + ": no answer from the server in time");
        if (!PQconsumeInput(connection))
            lose(Cause::connection, std::string(name) + ": the connection was lost");
    }
    Result result(PQgetResult(connection));
    // The server's last word, or libpq's own about a connection that is gone.
    if (result && PQresultStatus(result.get()) == PGRES_FATAL_ERROR &&
        field(result.get(), PG_DIAG_SEVERITY_NONLOCALIZED) != "ERROR")
        lose(Cause::connection, std::string(name) + ": the connection was lost: " + problem_of(result.get()),
             field(result.get(), PG_DIAG_SQLSTATE));
    return result;
}

void Connection::must_be_open(const char* name) const {
    if (!connection_)
        throw DatabaseError(Cause::connection, std::string(name) + ": the connection was lost earlier");
}

void Connection::lose(Cause cause, const std::string& text, std::string sqlstate) {
    close();
    throw DatabaseError(cause, text, std::move(sqlstate));
}

}  // namespace postgres
