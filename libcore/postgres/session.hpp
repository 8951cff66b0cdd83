// What a session is told, and the ways to tell it: once, when it begins, or for one transaction at a time,
// where a pooler stands between and gives each transaction another session.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "libcore/postgres/connection_settings.hpp"

struct pg_conn;

namespace postgres {

using SessionSettings = std::vector<std::pair<std::string, std::string>>;

SessionSettings session_settings(const ConnectionSettings& settings);

/// In the notation of the server's command line, as the startup packet carries it.
std::string as_options(const SessionSettings& settings);
/// One SELECT that holds until the end of its transaction.
std::string as_query(const SessionSettings& settings);
/// The same as a script, which may stand before SET TRANSACTION, as a query may not.
std::string as_script(const SessionSettings& settings);

/// Whether the session has taken what the startup packet carried: a pooler may have kept it to itself.
bool has_taken_options(const pg_conn* connection);

}  // namespace postgres
