// The wait for a database that a program can work with: what is waited out, and what ends the program.
#pragma once

#include <stop_token>

#include "libcore/postgres/pool.hpp"
#include "libcore/runtime/settings.hpp"

namespace service {

/// Waits for the database and for its schema, as long as it takes, after pauses that grow to 2 s. Warns when
/// the server accepts fewer connections than the budget. False when stop was requested first. Throws
/// runtime::Misconfigured where waiting changes nothing: the server refuses the login or has no such
/// database, the schema is too new for this program, or time is shifted in production.
bool wait_for_database(postgres::Pool& pool, runtime::AppEnv app_env, int connection_budget,
                       const std::stop_token& stop);

}  // namespace service
