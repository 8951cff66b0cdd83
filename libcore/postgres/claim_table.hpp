// From a hint to a row in hand: a worker takes the lease of what it is about to send, and gives back what it
// is not.
#pragma once

#include <chrono>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "libcore/domain/message.hpp"
#include "libcore/postgres/pool.hpp"

namespace postgres {

/// A row that this worker may send until the lease ends. `attempt` is the fence: this claim's own.
struct Claimed {
    domain::Uuid message_id;
    domain::Date delivery_date;
    int attempt = 0;
    std::string message_type;
    std::string idempotency_key;
    std::string recipient_email;
    std::string content;
    std::string trace;
    int failures = 0;
    bool in_doubt = false;
    /// How long ago the attempt before this one was claimed; nothing for a first attempt.
    std::optional<std::chrono::microseconds> since_last_try;
};

/// Planned for a user or a type as they were: to be replanned, not sent.
struct Outdated {
    domain::Uuid message_id;
    domain::Uuid user_id;
};

struct ClaimReport {
    std::vector<Claimed> claimed;
    std::vector<Outdated> outdated;
    std::vector<domain::Delivery> blocked;   ///< not looked at, the row stayed locked: to be claimed again
    std::vector<domain::Uuid> unrenderable;  ///< recorded as FAILED
    int missed = 0;                          ///< later than their type allows, and recorded as such
    int key_expired = 0;                     ///< in doubt for longer than the key lives: UNKNOWN
    int given_back = 0;                      ///< deliveries are paused: due again, and nothing claimed
};

struct Terms {
    std::chrono::milliseconds lease;
    std::chrono::milliseconds key_life = std::chrono::hours(24);  ///< how long the provider knows a key
};

/// Claims what the hints, of each message one, point to, if it is still QUEUED at the hint's attempt and
/// planned for the user and the type as they are now. A hint that does not appear in the report has nothing
/// to claim. Waits for a dispatcher that has not committed yet, up to the session's lock timeout. While
/// deliveries are paused the rows go back to the ledger instead.
ClaimReport claim(Pool& pool, std::span<const domain::Delivery> hints, const Terms& terms);

/// Rows that will not be sent now go back to the ledger, due after `delay`, no budget spent.
/// `hints`: QUEUED rows at the hint's attempt. `claims`: SENDING rows at the claim's.
int give_back_hints(Pool& pool, std::span<const domain::Delivery> hints, std::chrono::milliseconds delay);
int give_back_claims(Pool& pool, std::span<const Claimed> claims, std::chrono::milliseconds delay);

}  // namespace postgres
