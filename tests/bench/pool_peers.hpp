// The same question to the same table by others: pgbench, and pools for Node.js.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "tests/bench/pool_callers.hpp"
#include "tests/support/postgres_fixture.hpp"

namespace bench {

struct Reading {
    int callers = 1;
    int connections = 1;
    std::chrono::seconds time{3};
};

/// PostgreSQL's own, with one client for each connection: `pgbench -M prepared` with `script`. Its
/// percentiles are those of one question in fifty.
ClosedLoop read_by_pgbench(const support::TestDatabase& database, const std::string& script,
                           const Reading& reading);

/// Where `./dev bench` has put Node.js and its packages, or nothing.
std::optional<std::string> node_folder();

/// `script` of that folder asks `sql` with a number up to `most`.
ClosedLoop read_by_node(const support::TestDatabase& database, const std::string& script,
                        const std::string& sql, int most, const Reading& reading);

}  // namespace bench
