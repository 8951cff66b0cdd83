// A named SQL statement. The name labels metrics and logs and is the prepared statement's name.
#pragma once

namespace postgres {

/// A constant of the program: names are unique, and both texts outlive every connection.
struct Statement {
    const char* name;
    const char* sql;
};

}  // namespace postgres
