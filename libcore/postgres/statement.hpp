// A named SQL statement. The name labels metrics and logs, and begins the prepared statement's name.
#pragma once

namespace postgres {

enum class Access {
    write,
    /// Locks nothing and changes nothing: it may run again, and on a copy of the database.
    read,
};

/// A constant of the program: names are unique, and both texts outlive every connection.
struct Statement {
    const char* name;
    const char* sql;
    Access access = Access::write;
};

}  // namespace postgres
