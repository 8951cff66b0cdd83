// What travels between the threads of a worker.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <variant>

#include "libcore/domain/message.hpp"
#include "libcore/postgres/claim_table.hpp"
#include "libcore/postgres/record_table.hpp"

namespace worker {

using Clock = std::chrono::steady_clock;

/// From the broker to the claimer. The tag settles the hint.
struct Hint {
    std::uint64_t tag = 0;
    domain::Delivery delivery;
};

/// From the claimer to the lanes: a claimed message, and until when it may be sent. Counted from before the
/// claim was sent, so it ends no later than the lease on the row.
struct Job {
    std::uint64_t tag = 0;
    postgres::Claimed message;
    Clock::time_point claimed_at;
    Clock::time_point lease_ends;
};

/// Not sent: goes back to the ledger, due after the delay.
struct GivenBack {
    postgres::Claimed message;
    std::chrono::milliseconds delay{0};
};

/// From the lanes to the recorder.
struct Finished {
    std::uint64_t tag = 0;
    std::string trace;
    std::variant<postgres::Attempted, GivenBack> result;
};

}  // namespace worker
