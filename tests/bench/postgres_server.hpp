// The PostgreSQL under the benchmark, as seen from outside the services.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "libcore/postgres/pool.hpp"
#include "tests/support/postgres_fixture.hpp"

namespace bench {

/// For what takes long outside the measured time: no limit on any statement.
postgres::Connection patient_connection(const support::TestDatabase& database);

/// A pool as scheduler-svc and worker-svc have one.
postgres::PoolSettings service_pool(const support::TestDatabase& database);

/// "fsync=on synchronous_commit=on …": whether the numbers are those of a durable server.
std::string durability();

/// Adds users born on this day, spread evenly over the zones, for whom nothing is planned yet: every
/// `one_in`-th of all that are added; the others' birthday is half a year away.
void add_unplanned_users(postgres::Connection& connection, int count, const std::string& birthday,
                         const std::vector<std::string>& zones, int one_in = 1);

/// From now on the planner visits these zones.
void use_zones(postgres::Connection& connection, const std::vector<std::string>& zones);

/// Messages of users who are not there, on days of March 2027.
void add_other_messages(postgres::Connection& connection, int count);

/// Statistics up to date and the log of writes at a checkpoint, so that every run begins alike.
void settle(postgres::Connection& connection);

/// The server's main process. It must run on this machine.
pid_t server_process(const postgres::Connection& connection);

/// Bytes of the write-ahead log so far.
std::int64_t wal_position(postgres::Connection& connection);

}  // namespace bench
