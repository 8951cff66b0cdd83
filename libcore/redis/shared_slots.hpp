// The slots of a rate, leased one after the other by all processes that share a Redis: what
// domain::SlotSequence is for one process, by the clock of Redis.
#pragma once

#include <chrono>
#include <string>

#include "libcore/domain/slots.hpp"
#include "libcore/redis/connection.hpp"

namespace redis {

struct SlotRequest {
    std::string key;  ///< of the sequence
    std::chrono::nanoseconds interval{};
    std::chrono::milliseconds horizon{};
    int wanted = 0;  ///< none: only asks whether Redis answers
};

/// At most as many slots as wanted, atomically, in one round trip. Counted from the moment of the answer, so
/// they are rather too late than too early. Two leases of the same sequence may be a microsecond further
/// apart than they must.
domain::Slots lease_slots(Connection& connection, const SlotRequest& request, Deadline deadline);

}  // namespace redis
