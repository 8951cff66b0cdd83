#include "libcore/postgres/transaction.hpp"

#include <libpq-fe.h>

#include <stdexcept>

namespace postgres {

Transaction::Transaction(Connection& connection)
    : connection_(connection), started_(std::chrono::steady_clock::now()) {
    if (connection_.is_open() && !connection_.usable())
        throw std::logic_error("a connection runs one transaction at a time");
}

Transaction::~Transaction() {
    if (finished_) return;
    if (begun_ && connection_.is_open()) {
        try {
            connection_.must_be_open("rollback");
            connection_.query("rollback", "ROLLBACK");
        } catch (const DatabaseError&) {
            if (connection_.is_open()) connection_.leave_unanswered();
        } catch (...) {
            connection_.close();
        }
    }
    finish(Observation::Outcome::failed);
}

void Transaction::execute(const std::string& script, const char* name) {
    if (!std::exchange(begun_, true)) connection_.begin();
    connection_.execute(script, name);
}

void Transaction::commit() {
    if (finished_) throw std::logic_error("a transaction is committed once");
    if (!begun_) return finish(Observation::Outcome::done);
    connection_.must_be_open("commit");
    try {
        connection_.ends_transaction_ = true;
        observed(connection_.observe_, {.kind = Observation::Kind::statement, .name = "commit"},
                 [&](Observation&) {
                     Result answer = connection_.query("commit", "COMMIT");
                     connection_.ends_transaction_ = false;
                     if (std::string_view(PQcmdStatus(answer.get())) == "ROLLBACK")
                         throw DatabaseError(DatabaseError::Cause::server,
                                             "commit: a statement had failed, all was rolled back", "25P02");
                     return answer;
                 });
        finish(Observation::Outcome::done);
    } catch (const DatabaseError& error) {
        connection_.ends_transaction_ = connection_.is_unanswered();
        finish(outcome_of(error), &error);
        if (error.got_no_answer())
            throw CommitInDoubt(DatabaseError::Cause::connection, error.what(), error.sqlstate());
        throw;
    }
}

void Transaction::finish(Observation::Outcome outcome, const DatabaseError* error) noexcept {
    finished_ = true;
    if (begun_ && connection_.observe_)
        connection_.observe_({.kind = Observation::Kind::transaction,
                              .name = "transaction",
                              .duration = std::chrono::steady_clock::now() - started_,
                              .outcome = outcome,
                              .error = error});
}

}  // namespace postgres
