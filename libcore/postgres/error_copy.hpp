// An error that is kept for longer than it is handled.
#pragma once

#include <string>

#include "libcore/postgres/error.hpp"

namespace postgres {

/// Exceptions share their text with their copies, and the last of them may end on another thread: what is
/// kept has a text of its own.
inline DatabaseError own_copy(const DatabaseError& error) {
    using Cause = DatabaseError::Cause;
    const auto cause = error.connection_lost() ? Cause::connection
                       : error.got_no_answer() ? Cause::deadline
                                               : Cause::server;
    return {cause, std::string(error.what()), error.sqlstate(), error.constraint()};
}

}  // namespace postgres
