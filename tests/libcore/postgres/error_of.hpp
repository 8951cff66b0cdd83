// What the database error thrown by some work says.
#pragma once

#include <stdexcept>

#include "libcore/postgres/error.hpp"

namespace postgres {

/// Throws std::runtime_error when none is thrown.
template <class Work>
DatabaseError error_of(const Work& work) {
    try {
        work();
    } catch (const DatabaseError& error) {
        return error;
    }
    throw std::runtime_error("no database error was thrown");
}

}  // namespace postgres
