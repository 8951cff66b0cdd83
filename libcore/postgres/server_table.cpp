#include "libcore/postgres/server_table.hpp"

namespace postgres {

namespace {

constexpr Statement limit{"connections_accepted", R"sql(
    SELECT current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int)sql",
                          Access::read};

}  // namespace

int connections_accepted(Pool& pool) {
    return pool.run(limit).front().get<int>(0);
}

}  // namespace postgres
