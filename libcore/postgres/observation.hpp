// The one port through which connections and pools tell what they did. Metrics are wired to it elsewhere.
#pragma once

#include <chrono>
#include <functional>
#include <string_view>

#include "libcore/postgres/error.hpp"

namespace postgres {

struct Observation {
    enum class Kind { statement, transaction, acquire, connect };
    enum class Outcome { done, failed, timed_out, connection_lost };

    Kind kind;
    std::string_view name;  ///< the statement's, or the kind's
    std::chrono::nanoseconds duration;
    Outcome outcome;
};

/// Called on the thread that did the work, never under a lock. Must be thread-safe, quick, and not throw.
using Observe = std::function<void(const Observation&)>;

inline Observation::Outcome outcome_of(const DatabaseError& error) {
    if (error.timed_out()) return Observation::Outcome::timed_out;
    return error.connection_lost() ? Observation::Outcome::connection_lost : Observation::Outcome::failed;
}

/// Does `work` and tells how it went.
template <class Work>
auto observed(const Observe& observe, Observation::Kind kind, std::string_view name, const Work& work) {
    if (!observe) return work();
    const auto started = std::chrono::steady_clock::now();
    const auto tell = [&](Observation::Outcome outcome) {
        observe({kind, name, std::chrono::steady_clock::now() - started, outcome});
    };
    try {
        auto result = work();
        tell(Observation::Outcome::done);
        return result;
    } catch (const DatabaseError& error) {
        tell(outcome_of(error));
        throw;
    }
}

}  // namespace postgres
