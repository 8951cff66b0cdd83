#include "libcore/postgres/connection.hpp"

#include <libpq-fe.h>
#include <poll.h>

#include <algorithm>
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

}  // namespace

void Connection::execute(const std::string& script, const char* name) {
    const bool tell = !settings_query_.empty() && usable();
    observed(observe_, {.kind = Observation::Kind::statement, .name = name},
             [&](Observation&) { return query(name, tell ? settings_query_ + "; " + script : script); });
}

bool Connection::usable() const {
    return is_open() && PQstatus(connection_.get()) == CONNECTION_OK &&
           PQtransactionStatus(connection_.get()) == PQTRANS_IDLE;
}

bool Connection::is_stale() const {
    return hears_until(std::chrono::steady_clock::now());
}

bool Connection::hears_until(Deadline deadline) const {
    return !connection_ || wait_for(PQsocket(connection_.get()), POLLIN, deadline);
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

Rows Connection::run_prepared(const Call& call, const Parameters& parameters, Begin begin) {
    return observed(observe_,
                    {.kind = Observation::Kind::statement,
                     .name = call.statement.name,
                     .statement = &call.statement,
                     .parameters = parameters.types(),
                     .from = call.from},
                    [&](Observation&) { return run_once(call.statement, parameters.values(), begin); });
}

/// What the server does not know any more, or has known too long, it is told again.
Rows Connection::run_once(const Statement& statement, const std::vector<const char*>& values, Begin begin) {
    must_be_open(statement.name);
    const bool alone = begin == Begin::yes || usable();
    constexpr int most_tries = 4;
    for (int tries = 1;; ++tries) {
        try {
            return run_pipelined(statement, values, begin);
        } catch (const DatabaseError& error) {
            if (error.got_no_answer() || !prepared_.mend(statement, error.sqlstate())) throw;
            // All of the transaction may run again, as after 26000, whatever it was.
            if (!alone) throw DatabaseError(Cause::server, error.what(), "26000");
            if (tries == most_tries) throw;
        }
        if (begin == Begin::yes) query("rollback", "ROLLBACK");
    }
}

/// One round trip, whatever it has to carry: [BEGIN] [settings] [DEALLOCATE …] [PREPARE] EXECUTE. Behind a
/// pooler nothing is prepared: whose session the next transaction gets is unknown.
Rows Connection::run_pipelined(const Statement& statement, const std::vector<const char*>& values,
                               Begin begin) {
    pg_conn* const connection = connection_.get();
    const Deadline deadline = this->deadline();
    const bool pooled = !settings_query_.empty();
    const bool tell = pooled && (begin == Begin::yes || usable());
    auto& known = prepared_.use(statement);
    const bool prepare = !pooled && !known.ready;

    int commands = 0;
    const auto sent = [&](int accepted) {
        if (accepted != 1)
            lose(Cause::connection, std::string(statement.name) + ": the statement could not be sent");
        return commands++;
    };
    const auto send = [&](const char* sql, const std::vector<const char*>& parameters = {}) {
        return sent(PQsendQueryParams(connection, sql, static_cast<int>(parameters.size()), nullptr,
                                      parameters.data(), nullptr, nullptr, 0));
    };
    int last_deallocation = -1, preparation = -1;
    if (PQenterPipelineMode(connection) != 1)
        lose(Cause::connection, std::string(statement.name) + ": the statement could not be sent");
    if (begin == Begin::yes) send("BEGIN");
    if (tell) send(settings_query_.c_str());
    for (const std::string& name : prepared_.outdated())
        last_deallocation = send(("DEALLOCATE \"" + name + '"').c_str());
    if (prepare) preparation = sent(PQsendPrepare(connection, known.name.c_str(), statement.sql, 0, nullptr));
    const int execution =
        pooled ? send(statement.sql, values)
               : sent(PQsendQueryPrepared(connection, known.name.c_str(), static_cast<int>(values.size()),
                                          values.data(), nullptr, nullptr, 0));
    sent(PQpipelineSync(connection));
    flush(statement.name, deadline);

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
            if (command == last_deallocation) prepared_.forgotten();
            if (command == preparation) known.ready = true;
            if (command == execution) known.proven = known.ready;
            answer = std::move(result);
        }
    }
    PQexitPipelineMode(connection);
    note_role(error.get());
    if (error) raise(statement.name, error.get());
    verdict_ = Verdict::answered;
    return Rows(std::move(answer));
}

void Connection::begin() {
    query("begin", settings_script_.empty() ? "BEGIN" : "BEGIN; " + settings_script_);
}

Result Connection::query(const char* name, const std::string& sql) {
    return query(name, sql, deadline());
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
    note_role(error.get());
    if (error) raise(name, error.get());
    verdict_ = Verdict::answered;
    return answer;
}

Deadline Connection::deadline() const {
    return std::min(deadline_after(query_timeout_), deadline_);
}

/// The server says so with its answers, or by refusing a write.
void Connection::note_role(const pg_result* error) {
    if (is_read_only(connection_.get()) != read_only_ ||
        (error && !read_only_ && field(error, PG_DIAG_SQLSTATE) == "25006"))
        changed_role_ = true;
}

void Connection::flush(const char* name, Deadline deadline) {
    pg_conn* const connection = connection_.get();
    for (int unsent; (unsent = PQflush(connection)) != 0;) {
        if (unsent < 0) lose(Cause::connection, std::string(name) + ": the connection was lost");
        if (!wait_for(PQsocket(connection), POLLIN | POLLOUT, deadline))
            miss_deadline(std::string(name) + ": the statement could not be sent in time");
        // The server may be stuck writing to us while we are writing to it.
        if (!PQconsumeInput(connection))
            lose(Cause::connection, std::string(name) + ": the connection was lost");
        if (is_over(deadline)) miss_deadline(std::string(name) + ": the statement was sent too slowly");
    }
}

Result Connection::next_result(const char* name, Deadline deadline) {
    pg_conn* const connection = connection_.get();
    while (PQisBusy(connection)) {
        if (!wait_for(PQsocket(connection), POLLIN, deadline))
            miss_deadline(std::string(name) + ": no answer from the server in time");
        if (!PQconsumeInput(connection))
            lose(Cause::connection, std::string(name) + ": the connection was lost");
        if (PQisBusy(connection) && is_over(deadline))
            miss_deadline(std::string(name) + ": the answer came too slowly");
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
    if (!is_open())
        throw DatabaseError(Cause::connection, std::string(name) + ": the connection was lost earlier");
    if (is_over(deadline_))
        throw DatabaseError(Cause::deadline, std::string(name) + ": the caller's time was up before");
}

void Connection::miss_deadline(const std::string& text) {
    if (!keeps_unanswered_) lose(Cause::deadline, text);
    unanswered_ = true;
    verdict_ = Verdict::none;  // what was answered before says nothing of a server that is silent now
    throw DatabaseError(Cause::deadline, text);
}

void Connection::lose(Cause cause, const std::string& text, std::string sqlstate) {
    close();
    verdict_ = Verdict::failed;
    throw DatabaseError(cause, text, std::move(sqlstate));
}

}  // namespace postgres
