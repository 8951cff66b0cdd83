// From due rows to the queue: what is due is taken, published and marked QUEUED in one transaction.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "libcore/domain/message.hpp"
#include "libcore/postgres/pool.hpp"

namespace postgres {

/// Returns when the broker has confirmed every one, throws otherwise.
using Publish = std::function<void(std::span<const domain::Delivery>)>;

struct DispatchReport {
    int queued = 0;
    int postponed = 0;  ///< moved to the end of their type's pause
    int missed = 0;     ///< later than their type allows
    int unknown = 0;    ///< the same, but the provider may have them
    /// Whose message was planned for their type as it was: to be replanned, which is to happen now. The
    /// message waits some seconds for it.
    std::vector<domain::Uuid> outdated;

    int total() const { return queued + postponed + missed + unknown + static_cast<int>(outdated.size()); }
};

/// Larger batches gain nothing in PostgreSQL, and hold their rows locked for longer.
constexpr int largest_dispatch = 500;

/// Takes up to `limit` due rows, `largest_dispatch` at most, the longest due first, past those that another
/// dispatcher holds. What `publish` throws rolls everything back and comes out; so QUEUED means that the
/// broker has confirmed it. A process that dies before the commit leaves the rows as they were: published
/// again, and the first copy claims nothing. Nothing is taken while deliveries are paused.
DispatchReport dispatch(Pool& pool, int limit, const Publish& publish);

/// How long until the next message is due, by real time and if that is less than an hour; zero when one is,
/// even if another dispatcher holds it. Nothing when none waits, the clock of the ledger stands, or
/// deliveries are paused.
std::optional<std::chrono::microseconds> time_to_next_due(Pool& pool);

struct Backlog {
    int due = 0;                              ///< rows waiting for a dispatcher now, counted up to 100 000
    std::chrono::microseconds oldest_due{0};  ///< how long the first of them has been waiting
};

Backlog due_backlog(Pool& pool);

}  // namespace postgres
