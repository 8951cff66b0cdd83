#include "libcore/postgres/libpq.hpp"

#include <libpq-fe.h>
#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <string_view>
#include <system_error>

namespace postgres {

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

bool is_read_only(const pg_conn* connection) {
    const auto is_on = [&](const char* parameter) {
        const char* value = PQparameterStatus(connection, parameter);
        return value && std::string_view(value) == "on";
    };
    return is_on("in_hot_standby") || is_on("default_transaction_read_only");
}

}  // namespace postgres
