// What is told of a pool to people and metrics, in words that last.
#pragma once

#include <string_view>

#include "libcore/postgres/lending.hpp"

namespace postgres {

std::string_view to_string(Lending::Reason reason);
std::string_view to_string(CloseReason reason);
std::string_view to_string(Lending::Place::State state);
std::string_view to_string(Circuit::State state);

}  // namespace postgres
