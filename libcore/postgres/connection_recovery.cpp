// How a connection that nobody waits for any more becomes fit for the next user, or ends.

#include <fcntl.h>
#include <libpq-fe.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <exception>
#include <future>
#include <memory>
#include <thread>
#include <vector>

#include "libcore/postgres/connection.hpp"

namespace postgres {

namespace {

using Cause = DatabaseError::Cause;

// A server that is there lets go of a session within milliseconds.
constexpr std::chrono::milliseconds goodbye(100);

}  // namespace

void Connection::leave_unanswered() {
    if (keeps_unanswered_)
        unanswered_ = true;
    else
        close();
}

bool Connection::recover(std::chrono::milliseconds limit) {
    const Deadline deadline = deadline_after(limit);
    deadline_ = Deadline::max();
    keeps_unanswered_ = unanswered_ = false;
    try {
        const auto state = PQtransactionStatus(connection_.get());
        if (state == PQTRANS_ACTIVE && !ends_transaction_) stop_statement(deadline);
        drain(deadline);
        ask_until_answered(deadline);
    } catch (const std::exception&) {  // also when there is no thread or no memory for it
        close();
    }
    ends_transaction_ = false;
    keeps_unanswered_ = true;
    verdict_ = Verdict::none;
    return usable();
}

/// PQcancel knows no deadline, so it gets a thread that nobody has to wait for. When it has returned, the
/// signal has been sent; as long as it has not, it might still hit whatever is asked next.
void Connection::stop_statement(Deadline deadline) {
    const std::shared_ptr<PGcancel> handle(PQgetCancel(connection_.get()), PQfreeCancel);
    if (!handle) lose(Cause::connection, "cancel: there is no connection");
    std::packaged_task<void()> request([handle] {
        std::array<char, 256> problem{};
        PQcancel(handle.get(), problem.data(), static_cast<int>(problem.size()));
    });
    const auto done = request.get_future();
    std::thread(std::move(request)).detach();
    if (done.wait_until(deadline) != std::future_status::ready)
        lose(Cause::deadline, "cancel: the server was not reached in time");
}

void Connection::drain(Deadline deadline) {
    const bool pipeline = PQpipelineStatus(connection_.get()) != PQ_PIPELINE_OFF;
    flush("drain", deadline);
    for (;;) {
        if (deadline <= std::chrono::steady_clock::now()) lose(Cause::deadline, "drain: it is too late");
        const Result result = next_result("drain", deadline);
        if (pipeline ? PQresultStatus(result.get()) == PGRES_PIPELINE_SYNC : !result) break;
        if (PQresultStatus(result.get()) == PGRES_COPY_OUT) lose(Cause::connection, "drain: a copy");
    }
    if (pipeline) PQexitPipelineMode(connection_.get());
}

/// The signal is at the server, and hits nothing or this. What was being prepared may be there or not.
void Connection::ask_until_answered(Deadline deadline) {
    prepared_.clear();
    const std::string clean = settings_query_.empty() ? "DEALLOCATE ALL" : "";
    for (;;) {
        const bool inside = PQtransactionStatus(connection_.get()) != PQTRANS_IDLE;
        try {
            query("recover", inside ? "ROLLBACK" : clean, deadline);
            if (!inside) return;
        } catch (const DatabaseError& error) {
            if (error.got_no_answer() || deadline <= std::chrono::steady_clock::now()) throw;
        }
    }
}

/// Closes it. The second descriptor outlives the first and sees the server close its end; -1 if there is
/// nothing to be seen.
int Connection::close_keeping_socket() noexcept {
    if (!connection_) return -1;
    const bool busy = PQtransactionStatus(connection_.get()) == PQTRANS_ACTIVE;
    const int socket = busy ? -1 : fcntl(PQsocket(connection_.get()), F_DUPFD_CLOEXEC, 0);
    close();
    return socket;
}

void Connection::end(const std::vector<std::unique_ptr<Connection>>& connections) {
    std::vector<int> sockets;
    sockets.reserve(connections.size());
    for (const auto& connection : connections) sockets.push_back(connection->close_keeping_socket());
    const Deadline deadline = deadline_after(goodbye);
    for (const int socket : sockets) {
        if (socket < 0) continue;
        std::array<char, 1024> rest;
        while (wait_for(socket, POLLIN, deadline) && recv(socket, rest.data(), rest.size(), MSG_DONTWAIT) > 0)
            continue;
        ::close(socket);
    }
}

}  // namespace postgres
