// What a session is told, and the ways to tell it: once, when it begins, or for one transaction at a time,
// where a pooler stands between and gives each transaction another session.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "libcore/postgres/connection_settings.hpp"
#include "libcore/postgres/error.hpp"

namespace postgres {

using SessionSettings = std::vector<std::pair<std::string, std::string>>;

SessionSettings session_settings(const ConnectionSettings& settings);

/// In the notation of the server's command line, as the startup packet carries it.
std::string as_options(const SessionSettings& settings);
/// One SELECT that holds until the end of its transaction.
std::string as_query(const SessionSettings& settings);
/// The same as a script, which may stand before SET TRANSACTION, as a query may not.
std::string as_script(const SessionSettings& settings);

/// Asks the session whether it has taken what the startup packet carried: one row, one column, "yes". A
/// pooler may have kept it to itself.
const char* settings_probe();
/// A pooler's refusal of a startup packet that carries options: PgBouncer names `options`, or since 1.20 what
/// is in them.
bool refuses_options(const DatabaseError& error);

}  // namespace postgres
