// How a connection comes to be, and ends.

#include <libpq-fe.h>

#include <optional>
#include <utility>

#include "libcore/postgres/connect_attempt.hpp"
#include "libcore/postgres/connection.hpp"
#include "libcore/postgres/session.hpp"

namespace postgres {

struct Connection::Opening {
    ConnectionSettings settings;
    std::chrono::steady_clock::time_point began = std::chrono::steady_clock::now();
    std::optional<ConnectAttempt> attempt{};
};

Connection::Connection(const ConnectionSettings& settings, Observe observe, const std::stop_token& stop)
    : Connection(Unopened{}, settings, std::move(observe)) {
    open(Deadline::max(), stop);
}

Connection::Connection(Unopened, const ConnectionSettings& settings, Observe observe)
    : query_timeout_(settings.query_timeout),
      observe_(std::move(observe)),
      opening_(std::make_unique<Opening>(Opening{settings})) {}

Connection::~Connection() = default;

bool Connection::open(Deadline until, const std::stop_token& stop) {
    Observation seen{.kind = Observation::Kind::connect, .name = "connect"};
    const auto over = [&] {
        seen.duration = std::chrono::steady_clock::now() - opening_->began;
        opening_.reset();
        if (observe_) observe_(seen);
    };
    try {
        if (!opening_->attempt) opening_->attempt.emplace(opening_->settings);
        auto connected = opening_->attempt->go_on(until, stop);
        if (!connected) return false;
        if (connected->pooled) {
            const auto told = session_settings(opening_->settings);
            settings_query_ = as_query(told);
            settings_script_ = as_script(told);
        }
        connection_ = std::move(connected->connection);
    } catch (const DatabaseError& error) {
        seen.outcome = outcome_of(error);
        seen.error = &error;
        over();
        throw;
    }
    opened_at_ = std::chrono::steady_clock::now();
    seen.backend_pid = backend_pid_ = PQbackendPID(connection_.get());
    read_only_ = is_read_only(connection_.get());
    over();
    return true;
}

void Connection::close() noexcept {
    opening_.reset();
    connection_.reset();
    prepared_.clear();
    unanswered_ = false;
}

}  // namespace postgres
