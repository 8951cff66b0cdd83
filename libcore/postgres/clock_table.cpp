#include "libcore/postgres/clock_table.hpp"

namespace postgres {

namespace {

constexpr Statement shifted{"clock_is_shifted", "SELECT EXISTS (SELECT FROM app_clock)", Access::read};

}  // namespace

bool clock_is_shifted(Pool& pool) {
    return pool.run(shifted).front().get<bool>(0);
}

}  // namespace postgres
