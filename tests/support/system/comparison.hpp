// What the provider got against what the ledger owed: the judge of every drill. Pure.
#pragma once

#include <functional>
#include <iosfwd>
#include <string>
#include <vector>

#include "libcore/domain/message.hpp"
#include "tests/support/sink/ledger.hpp"

namespace support {

/// A row of message_logs, as far as drills ask for it.
struct LedgerRow {
    domain::Delivery hint;  ///< as a dispatcher would publish it now
    std::string key;
    std::string email;       ///< of its user
    std::string local_time;  ///< the recipient's clock at the instant, `YYYY-MM-DD HH:MM`
    domain::Instant instant{};
    domain::Status status{};
    int attempt = 0;
    int failures = 0;
    int rescues = 0;
    bool in_doubt = false;
    int response_code = 0;  ///< 0 is none
    std::string response_body;
    std::string error;
};

struct Comparison {
    int delivered = 0;  ///< messages that are SENT and that the provider delivered
    int lost = 0;       ///< messages that it did not, or that are not known to be sent
    int twice = 0;      ///< deliveries beyond the first of the same key
    int early = 0;      ///< requests, answered or not, before their message's instant
    int unplanned = 0;  ///< requests under a key that no message has

    friend bool operator==(const Comparison&, const Comparison&) = default;
};

std::ostream& operator<<(std::ostream& out, const Comparison& comparison);

/// The instant of the ledger's clock when the provider received a request.
using Clock = std::function<domain::Instant(domain::Instant received_at)>;

Comparison compare(const std::vector<LedgerRow>& ledger, const std::vector<sink::Entry>& requests,
                   const Clock& clock);

}  // namespace support
