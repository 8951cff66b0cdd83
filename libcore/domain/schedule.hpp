// What is to come, as values: one user's messages, and everybody's by minute.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "libcore/domain/message.hpp"

namespace domain {

/// Why something that is to come does not, or not yet.
struct Hold {
    std::string reason;  ///< opted_out, unknown_timezone, no_dates, type_paused, deliveries_paused
    std::optional<std::string> message_type = {};
    std::optional<Instant> until = {};  ///< nothing: until somebody changes it
};

struct PlannedAs {
    Uuid id;
    Status status = Status::scheduled;
};

struct ComingMessage {
    std::string message_type;
    Date delivery_date;
    std::string timezone;
    std::string local_time;  ///< what the recipient's clock shows then
    Instant scheduled_send_time{};
    std::string utc_offset;  ///< of that clock: "+05:45"
    std::optional<std::string> civil_rule;
    std::optional<int> years;          ///< nothing when the rules no longer have it
    std::optional<PlannedAs> planned;  ///< the message, if there is one already
};

/// How many messages become due in one minute where clocks have this offset.
struct DueMinute {
    Instant minute{};
    std::string utc_offset;
    std::string message_type;
    std::int64_t messages = 0;
};

struct DueTotal {
    std::string message_type;
    std::int64_t messages = 0;
};

}  // namespace domain
