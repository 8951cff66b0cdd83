// From an answer to the ledger: the outcome of attempts, recorded in batches before their hints are acked.
#pragma once

#include <chrono>
#include <span>
#include <string>
#include <vector>

#include "libcore/domain/message.hpp"
#include "libcore/domain/outcome.hpp"
#include "libcore/postgres/pool.hpp"

namespace postgres {

/// What one attempt came to. Texts are valid UTF-8 without NUL: `body` up to 4096 bytes, `error` up to 1000.
struct Attempted {
    domain::Uuid message_id;
    domain::Date delivery_date;
    int attempt = 0;
    domain::Outcome outcome;
    int http_status = 0;  ///< 0: no response
    std::string body;
    std::string error;
    domain::Instant started_at{};
    domain::Instant finished_at{};
};

struct Recorded {
    domain::Uuid message_id;
    domain::Status status;
    std::chrono::microseconds lateness{0};  ///< of what was sent: after its scheduled instant
};

/// Records what still holds: an outcome lands on the row only while that attempt has the lease, a success
/// also on a row that was given up meanwhile, or that a later attempt has. What has moved on is left alone
/// and absent from the answer. Committed on return. One bad row does not stop the others.
std::vector<Recorded> record_outcomes(Pool& pool, std::span<const Attempted> attempts);

}  // namespace postgres
