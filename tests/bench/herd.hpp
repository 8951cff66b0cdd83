// A database with many messages due at the same instant, and the clock standing just before it.
#pragma once

#include <cstdint>
#include <string>

#include "libcore/postgres/pool.hpp"
#include "tests/support/postgres_fixture.hpp"

namespace bench {

class Herd {
public:
    explicit Herd(int messages);

    const std::string& url() const { return database_.url(); }
    const support::TestDatabase& database() const { return database_; }
    postgres::Connection& connection() { return connection_; }

    /// From now on the clock runs, and all of them are due.
    void release();

    int unsent();

    struct Lateness {
        double median = 0;
        double p99 = 0;
        double max = 0;
    };
    /// Of what was sent, in seconds, by the database's clock.
    Lateness lateness();

    /// Published so far.
    int batches();

    struct Updates {
        double count = 0;
        double heap_only = 0;
    };
    /// Of the messages' rows. Waits until whoever made them has disconnected and so reported them.
    Updates updates();

private:
    support::TestDatabase database_;
    postgres::Connection connection_;
};

}  // namespace bench
