// How far a server's log has come, as the server says. Blocking; throws like Connection::run.
#pragma once

#include <optional>
#include <string>

#include "libcore/postgres/log_position.hpp"

namespace postgres {

class Connection;
class Pool;

struct LogPlace {
    std::string system;  ///< the same for a primary and all of its replicas
    bool in_recovery;    ///< it follows another server
    /// Of one that follows, how far it has replayed; else up to where others can have the log.
    std::optional<LogPosition> position;
};

LogPlace log_place(Connection& connection);

/// Whatever the primary has committed until this call is before it.
LogPosition log_end(Pool& primary);

}  // namespace postgres
