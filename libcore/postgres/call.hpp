// A statement and the place of the program that runs it, which nobody has to write down.
#pragma once

#include <source_location>

#include "libcore/postgres/statement.hpp"

namespace postgres {

struct Call {
    using Place = std::source_location;

    // Not explicit: whoever runs a statement need not know.
    Call(const Statement& called, Place place = Place::current()) : statement(called), from(place) {}
    Call(const char* name, const char* sql, Access access = Access::write, Place place = Place::current())
        : statement{name, sql, access}, from(place) {}

    Statement statement;
    Place from;
};

}  // namespace postgres
