// The one port through which connections and pools tell what they did. Metrics are wired to it elsewhere.
#pragma once

#include <chrono>
#include <functional>
#include <string_view>

namespace postgres {

struct Observation {
    enum class Kind { statement, transaction, acquire, connect };
    enum class Outcome { done, failed, timed_out, connection_lost };

    Kind kind;
    std::string_view name;  ///< of the statement; of a constant set otherwise
    std::chrono::nanoseconds duration;
    Outcome outcome;
};

/// Called on the thread that did the work, never under a lock. Must be thread-safe, quick, and not throw.
using Observe = std::function<void(const Observation&)>;

}  // namespace postgres
