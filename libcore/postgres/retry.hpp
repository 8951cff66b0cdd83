// How often, and after what pause, what has failed and may safely run again does so.
#pragma once

#include <cstddef>

#include "libcore/postgres/error.hpp"
#include "libcore/postgres/libpq.hpp"

namespace postgres {

class Retry {
public:
    /// Never after `until`.
    explicit Retry(Deadline until = Deadline::max()) : until_(until) {}

    /// Sleeps 100, 150, then 225 ms (+ up to 10 %) and says yes, or says no at once.
    bool may_retry();
    /// The same, for a transaction that met a deadlock, a conflict or a server that takes no writes any more,
    /// or whose connection was lost before COMMIT was sent.
    bool may_retry_after(const DatabaseError& error) {
        const bool lost = error.connection_lost() && !error.sat_idle();
        const bool again = error.may_rerun_transaction() || error.is_read_only();
        return (lost || (again && !error.got_no_answer())) && may_retry();
    }

private:
    const Deadline until_;
    std::size_t reruns_ = 0;
};

}  // namespace postgres
