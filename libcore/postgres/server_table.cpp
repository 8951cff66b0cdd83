#include "libcore/postgres/server_table.hpp"

namespace postgres {

namespace {

constexpr Statement limit{"max_connections", "SELECT current_setting('max_connections')::int", Access::read};

}  // namespace

int max_connections(Pool& pool) {
    return pool.run(limit).front().get<int>(0);
}

}  // namespace postgres
