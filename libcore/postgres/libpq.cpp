#include "libcore/postgres/libpq.hpp"

#include <libpq-fe.h>
#include <poll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <new>
#include <string>
#include <system_error>
#include <vector>

#include "libcore/postgres/connection.hpp"
#include "libcore/postgres/session.hpp"
#include "libcore/postgres/url.hpp"

namespace postgres {

namespace {

using Options = UrlOptions;

Options connection_options(const ConnectionSettings& settings) {
    if (const auto problem = problem_of_url(settings.url))
        throw DatabaseError(DatabaseError::Cause::connection, "connect: the database URL " + *problem);
    Options options = options_of_url(settings.url);
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
    options.try_emplace("tcp_user_timeout", std::to_string(settings.query_deadline.count()));
    return options;
}

LibpqConnection start(const Options& options) {
    std::vector<const char*> names, values;
    for (const auto& [name, value] : options) {
        names.push_back(name.c_str());
        values.push_back(value.c_str());
    }
    names.push_back(nullptr);
    values.push_back(nullptr);
    LibpqConnection connection(PQconnectStartParams(names.data(), values.data(), 0));
    if (!connection) throw std::bad_alloc();
    return connection;
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

}  // namespace

void CloseConnection::operator()(pg_conn* connection) const noexcept {
    PQfinish(connection);
}

Deadline deadline_after(std::chrono::milliseconds limit) {
    return limit == limit.zero() ? Deadline::max() : std::chrono::steady_clock::now() + limit;
}

bool wait_for(int socket, short events, Deadline deadline) {
    pollfd request{socket, events, 0};
    for (;;) {
        int timeout = -1;
        if (deadline != Deadline::max()) {
            const auto left =
                std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
            timeout = static_cast<int>(std::max<std::int64_t>(left.count(), 0));
        }
        const int ready = poll(&request, 1, timeout);
        if (ready >= 0) return ready > 0;
        if (errno != EINTR) throw std::system_error(errno, std::system_category(), "poll");
    }
}

namespace {

/// The options once for each server of a list. libpq would wait with the first one that says nothing until
/// the time is up, and never come to the next. Where it has to compare them, they stay together.
std::vector<Options> one_by_one(const Options& options) {
    const auto wanted = options.find("target_session_attrs");
    if (wanted != options.end() && wanted->second == "prefer-standby") return {options};
    return servers_of(options);
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

LibpqConnection connect(const Options& options, Deadline deadline, const std::stop_token& stop) {
    LibpqConnection connection = start(options);
    PQsetErrorVerbosity(connection.get(), PQERRORS_VERBOSE);
    PQsetNoticeReceiver(
        connection.get(), [](void*, const pg_result*) {}, nullptr);

    for (auto state = PGRES_POLLING_WRITING; state != PGRES_POLLING_OK;) {
        if (state == PGRES_POLLING_FAILED || PQstatus(connection.get()) == CONNECTION_BAD)
            refuse(connection.get());
        const short events = state == PGRES_POLLING_READING ? POLLIN : POLLOUT;
        if (!wait_unless_stopped(PQsocket(connection.get()), events, deadline, stop))
            throw DatabaseError(DatabaseError::Cause::deadline, "connect: no answer from the server in time");
        state = PQconnectPoll(connection.get());
    }
    PQsetnonblocking(connection.get(), 1);
    return connection;
}

/// What the URL itself has in its options would be lost behind a pooler without a word.
Connected connect_session(const Options& options, bool may_be_pooled, Deadline deadline,
                          const std::stop_token& stop) {
    try {
        return {connect(options, deadline, stop), false};
    } catch (const DatabaseError& error) {
        if (!may_be_pooled || !refuses_options(error)) throw;
    }
    Options bare = options;
    bare.erase("options");
    return {connect(bare, deadline, stop), true};
}

}  // namespace

Connected connect(const ConnectionSettings& settings, const std::stop_token& stop) {
    const auto servers = one_by_one(connection_options(settings));
    const bool may_be_pooled = !options_of_url(settings.url).contains("options");
    const Deadline deadline = deadline_after(settings.connect_timeout);
    for (auto left = static_cast<std::ptrdiff_t>(servers.size());; --left) {
        const Options& server = servers[servers.size() - static_cast<std::size_t>(left)];
        const auto now = std::chrono::steady_clock::now();
        try {
            return connect_session(server, may_be_pooled,
                                   deadline == Deadline::max() ? deadline : now + (deadline - now) / left,
                                   stop);
        } catch (const DatabaseError& error) {
            // A password that one of them refuses is refused by all.
            if (left == 1 || error.is_refused_login() || stop.stop_requested()) throw;
        }
    }
}

bool is_read_only(const pg_conn* connection) {
    const auto is_on = [&](const char* parameter) {
        const char* value = PQparameterStatus(connection, parameter);
        return value && std::string_view(value) == "on";
    };
    return is_on("in_hot_standby") || is_on("default_transaction_read_only");
}

}  // namespace postgres
