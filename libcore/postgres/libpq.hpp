// libpq under a deadline, for this folder alone.
#pragma once

#include <chrono>
#include <memory>

struct pg_conn;

namespace postgres {

struct CloseConnection {
    void operator()(pg_conn* connection) const noexcept;
};
using LibpqConnection = std::unique_ptr<pg_conn, CloseConnection>;

using Deadline = std::chrono::steady_clock::time_point;

/// `limit` from now; a limit of zero never comes.
Deadline deadline_after(std::chrono::milliseconds limit);
inline bool is_over(Deadline deadline) {
    return deadline != Deadline::max() && deadline <= std::chrono::steady_clock::now();
}

/// Waits for `events` of poll(2); false when the deadline came first.
bool wait_for(int socket, short events, Deadline deadline);

/// The server says that it takes no writes.
bool is_read_only(const pg_conn* connection);

}  // namespace postgres
