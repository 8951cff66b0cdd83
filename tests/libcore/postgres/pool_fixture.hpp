// What tests of pools share: a database of their own, by a way that may be made to misbehave, and what they
// ask.
#pragma once

#include <chrono>
#include <set>

#include "libcore/postgres/pool.hpp"
#include "tests/support/postgres_fixture.hpp"
#include "tests/support/tcp_gate.hpp"

namespace postgres {

inline constexpr Statement echo{"echo", "SELECT $1::bigint", Access::read};
inline constexpr Statement own_pid{"own_pid", "SELECT pg_backend_pid()", Access::read};
/// Returns when the session has gone.
inline constexpr Statement terminate{"terminate", "SELECT pg_terminate_backend($1, 5000)"};
/// Of the pool.
inline constexpr Statement sessions{"sessions",
                                    "SELECT pid FROM pg_stat_activity WHERE datname = current_database() "
                                    "AND application_name = 'pool'",
                                    Access::read};

/// What a loaded machine may add to any deadline.
inline constexpr std::chrono::seconds slack{2};

struct PoolFixture {
    support::TestDatabase database{support::TestDatabase::Content::nothing};

    PoolSettings settings(int max) const { return settings_of(database, max); }
    PoolSettings settings(int max, const support::TcpGate& gate) const {
        auto gated = settings(max);
        gated.connection.url = support::through(database.url(), gate.port());
        return gated;
    }
    static PoolSettings settings_of(const support::TestDatabase& database, int max) {
        PoolSettings settings{.connection = database.settings(), .max = max};
        settings.connection.application_name = "pool";
        return settings;
    }

    /// Of the pool, as the server sees them.
    std::set<int> pids() const {
        std::set<int> pids;
        for (const auto row : database.connection().run(sessions)) pids.insert(row.get<int>(0));
        return pids;
    }

    void end_backend(int pid) const { database.connection().run(terminate, pid); }
};

/// Of a pool for those whom nothing else is to hold up.
inline PoolSettings unhindered(PoolSettings settings) {
    settings.reserve = 0;
    settings.connects_per_second = 0;
    return settings;
}

}  // namespace postgres
