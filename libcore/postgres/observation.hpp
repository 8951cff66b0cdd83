// The one port through which connections and pools tell what they did. Metrics are wired to it elsewhere.
#pragma once

#include <chrono>
#include <functional>
#include <source_location>
#include <string_view>

#include "libcore/postgres/error.hpp"
#include "libcore/postgres/statement.hpp"

namespace postgres {

struct Observation {
    /// `acquire` is how long a caller waited for his turn; who then runs out of time while one is made for
    /// him adds one that failed, named "connecting". `use` is how long a connection was lent; `leak`, that it
    /// is lent still.
    enum class Kind { connect, close, acquire, use, leak, statement, transaction };
    enum class Outcome { done, failed, timed_out, connection_lost };

    Kind kind;
    /// The statement's; why a connection was refused or closed; else the kind's. Lasts.
    std::string_view name;
    std::chrono::nanoseconds duration{};  ///< of `close`, the age of the connection
    Outcome outcome = Outcome::done;
    const DatabaseError* error = nullptr;  ///< why it is not done
    const Statement* statement = nullptr;  ///< if it is one of the program's
    std::string_view parameters = {};      ///< their types; lasts
    std::source_location from = {};        ///< who asked, where that is known
    int backend_pid = 0;                   ///< of `connect`, `close` and `leak`
};

/// Called on the thread that did the work, never under a lock. Must be thread-safe, quick, and not throw.
using Observe = std::function<void(const Observation&)>;

inline Observation::Outcome outcome_of(const DatabaseError& error) {
    if (error.timed_out()) return Observation::Outcome::timed_out;
    return error.got_no_answer() ? Observation::Outcome::connection_lost : Observation::Outcome::failed;
}

/// Does `work` and tells how it went. What it adds to the observation is told as well.
template <class Work>
auto observed(const Observe& observe, Observation seen, const Work& work) {
    if (!observe) return work(seen);
    const auto started = std::chrono::steady_clock::now();
    const auto tell = [&] {
        seen.duration = std::chrono::steady_clock::now() - started;
        observe(seen);
    };
    try {
        auto result = work(seen);
        tell();
        return result;
    } catch (const DatabaseError& error) {
        seen.outcome = outcome_of(error);
        seen.error = &error;
        tell();
        throw;
    }
}

}  // namespace postgres
