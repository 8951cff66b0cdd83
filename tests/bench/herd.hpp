// A database with many messages due at the same instant or one after the other, and the clock standing just
// before.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "libcore/postgres/pool.hpp"
#include "tests/support/postgres_fixture.hpp"

namespace bench {

class Herd {
public:
    struct Due {
        int messages = 0;
        std::chrono::microseconds apart{0};

        /// From the first to the last.
        std::chrono::milliseconds span() const {
            return std::chrono::ceil<std::chrono::milliseconds>(apart * messages);
        }
    };

    explicit Herd(const Due& due);
    explicit Herd(int messages) : Herd(Due{.messages = messages}) {}

    const std::string& url() const { return database_.url(); }
    const support::TestDatabase& database() const { return database_; }
    postgres::Connection& connection() { return connection_; }
    const Due& due() const { return due_; }

    /// From now on the clock runs, and the first of them are due a second later: a scheduler sees them come,
    /// as it does in life. Returns when they are.
    void release();

    /// Quick as long as some are not.
    bool all_sent();
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
    /// Of the messages' rows by the services. Waits until whoever made them has disconnected and so reported
    /// them.
    Updates updates();

private:
    const Due due_;
    support::TestDatabase database_;
    postgres::Connection connection_;
};

}  // namespace bench
