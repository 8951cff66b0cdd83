#include "libcore/postgres/connect_attempt.hpp"

#include <libpq-fe.h>
#include <poll.h>

#include <algorithm>
#include <new>
#include <string>
#include <string_view>
#include <utility>

#include "libcore/postgres/error_copy.hpp"
#include "libcore/postgres/rows.hpp"
#include "libcore/postgres/session.hpp"

namespace postgres {

namespace {

// Who is absent for longer was not looking.
constexpr std::chrono::milliseconds longest_absence(100);

UrlOptions connection_options(const ConnectionSettings& settings) {
    if (const auto problem = problem_of_url(settings.url))
        throw DatabaseError(DatabaseError::Cause::connection, "connect: the database URL " + *problem);
    UrlOptions options = options_of_url(settings.url);
    options["application_name"] = settings.application_name;
    options["client_encoding"] = "UTF8";
    options["options"] += as_options(session_settings(settings));
    options.try_emplace("gssencmode", "disable");
    if (!settings.sslmode.empty()) options.try_emplace("sslmode", settings.sslmode);
    if (!settings.sslrootcert.empty()) options.try_emplace("sslrootcert", settings.sslrootcert);
    if (!settings.target_session_attrs.empty())
        options.try_emplace("target_session_attrs", settings.target_session_attrs);
    // A peer that vanished without a word is noticed within a minute on an idle connection, and on a busy one
    // when our own deadline comes.
    options.try_emplace("keepalives_idle", "30");
    options.try_emplace("keepalives_interval", "10");
    options.try_emplace("keepalives_count", "3");
    options.try_emplace("tcp_user_timeout", std::to_string(settings.query_timeout.count()));
    return options;
}

/// Why a connection could not be made. libpq has the SQLSTATE only in its text, and there only when asked to
/// be verbose: `… failed: FATAL:  28P01: password …`, and below it details that nobody needs.
[[noreturn]] void refuse(const pg_conn* connection) {
    std::string text = PQerrorMessage(connection);
    text.erase(std::min(text.find('\n'), text.size()));
    std::string sqlstate;
    constexpr std::size_t code_length = 5;
    if (const auto severity = text.find(":  "); severity != std::string::npos) {
        const auto code = severity + 3;
        const auto end = code + code_length;
        if (text.compare(std::min(end, text.size()), 2, ": ") == 0) {
            sqlstate = text.substr(code, code_length);
            text = text.substr(0, severity + 2) + text.substr(end + 2) + " (" + sqlstate + ")";
        }
    }
    throw DatabaseError(DatabaseError::Cause::connection, "connect: " + text, sqlstate);
}

/// Of what servers and addresses have in the way: that one is there and has no room means to wait for it, and
/// what a server says is more than that one cannot be reached.
bool says_more(const DatabaseError& error, const DatabaseError& before) {
    const auto weight = [](const DatabaseError& it) {
        return it.is_full() ? 2 : it.sqlstate().empty() ? 0 : 1;
    };
    return weight(error) >= weight(before);
}

/// Looks now and then whether it should stop.
bool wait_unless_stopped(int socket, short events, Deadline deadline, const std::stop_token& stop) {
    if (!stop.stop_possible()) return wait_for(socket, events, deadline);
    constexpr std::chrono::milliseconds look_every(100);
    while (!stop.stop_requested()) {
        const auto now = std::chrono::steady_clock::now();
        if (wait_for(socket, events, std::min(deadline, now + look_every))) return true;
        if (now >= deadline) return false;
    }
    return false;
}

}  // namespace

ConnectAttempt::ConnectAttempt(const ConnectionSettings& settings)
    : turns_(connection_options(settings), settings.connect_timeout, settings.host_lookups),
      may_be_pooled_(!options_of_url(settings.url).contains("options")),
      query_timeout_(settings.query_timeout) {}

std::optional<Connected> ConnectAttempt::go_on(Deadline until, const std::stop_token& stop) {
    // Whoever was busy with others for so long may find an answer that has come in time.
    if (left_at_)
        if (const auto absence = std::chrono::steady_clock::now() - *left_at_; absence >= longest_absence)
            turns_.extend(absence);
    for (left_at_.reset();;) {
        try {
            if (!connect(until, stop) || (!without_options_ && !ask_whether_told(until, stop))) {
                left_at_ = std::chrono::steady_clock::now();
                return std::nullopt;
            }
            return Connected{std::move(connection_), !told_};
        } catch (const DatabaseError& error) {
            connection_.reset();
            // What the URL itself has in its options would be lost behind a pooler without a word.
            if (!without_options_ && may_be_pooled_ && refuses_options(error)) {
                without_options_ = true;
                continue;
            }
            // A password that one of them refuses is refused by all.
            if (error.is_refused_login() || stop.stop_requested()) throw;
            if (!problem_ || says_more(error, *problem_)) problem_.emplace(own_copy(error));
            if (!turns_.next()) throw DatabaseError(*problem_);
            without_options_ = false;
        }
    }
}

void ConnectAttempt::start(const UrlOptions& options) {
    std::vector<const char*> names, values;
    for (const auto& [name, value] : options) {
        if (without_options_ && name == "options") continue;
        names.push_back(name.c_str());
        values.push_back(value.c_str());
    }
    names.push_back(nullptr);
    values.push_back(nullptr);
    connection_.reset(PQconnectStartParams(names.data(), values.data(), 0));
    if (!connection_) throw std::bad_alloc();
    PQsetErrorVerbosity(connection_.get(), PQERRORS_VERBOSE);
    PQsetNoticeReceiver(
        connection_.get(), [](void*, const pg_result*) {}, nullptr);
    awaited_ = POLLOUT;
    asked_ = told_ = false;
}

bool ConnectAttempt::connect(Deadline until, const std::stop_token& stop) {
    if (!connection_) {
        const UrlOptions* const address = turns_.address(until, stop);
        if (!address) return false;
        start(*address);
    }
    pg_conn* const connection = connection_.get();
    while (awaited_ != 0) {
        if (PQstatus(connection) == CONNECTION_BAD) refuse(connection);
        if (!heard(awaited_, until, stop)) return false;
        const auto state = PQconnectPoll(connection);
        if (state == PGRES_POLLING_FAILED) refuse(connection);
        awaited_ = state == PGRES_POLLING_OK ? 0 : state == PGRES_POLLING_READING ? POLLIN : POLLOUT;
    }
    PQsetnonblocking(connection, 1);
    return true;
}

/// A pooler that has let us in may still keep the first question waiting.
bool ConnectAttempt::ask_whether_told(Deadline until, const std::stop_token& stop) {
    pg_conn* const connection = connection_.get();
    if (!asked_) {
        if (PQsendQuery(connection, settings_probe()) != 1) refuse(connection);
        asked_ = true;
        turns_.not_before(deadline_after(query_timeout_));
    }
    for (;;) {
        for (int unsent; (unsent = PQflush(connection)) != 0 || PQisBusy(connection) != 0;) {
            if (unsent < 0) refuse(connection);
            if (!heard(static_cast<short>(unsent > 0 ? POLLIN | POLLOUT : POLLIN), until, stop)) return false;
            if (PQconsumeInput(connection) != 1) refuse(connection);
        }
        const Result answer(PQgetResult(connection));
        if (!answer) return true;
        if (PQresultStatus(answer.get()) != PGRES_TUPLES_OK) refuse(connection);
        told_ = PQgetvalue(answer.get(), 0, 0) == std::string_view("yes");
    }
}

/// False when it is `until`.
bool ConnectAttempt::heard(short events, Deadline until, const std::stop_token& stop) const {
    if (wait_unless_stopped(PQsocket(connection_.get()), events, std::min(until, turns_.ends()), stop))
        return true;
    if (until < turns_.ends() && !stop.stop_requested()) return false;
    throw DatabaseError(DatabaseError::Cause::deadline, "connect: no answer from the server in time");
}

}  // namespace postgres
