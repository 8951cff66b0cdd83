// How large a pool is, how long its connections live, and how long somebody waits for one.
#pragma once

#include <chrono>
#include <optional>

#include "libcore/postgres/connection_settings.hpp"

namespace postgres {

/// What is asked of a connection that rested before it is lent.
enum class Validation {
    off,
    peek,  ///< that the server has not closed it, as far as this side has heard
    ping,  ///< the same, and after half a second of rest an answer of the server
};

/// A zero of a time means never; of a number, no limit. Where it does not, it is said.
struct PoolSettings {
    ConnectionSettings connection{};
    int max = 4;
    /// Opened ahead, in the background, and kept when idle.
    int min = 0;
    /// Of `max`, only for `Pool::reserved()`. Unless it is said: one of four or more.
    std::optional<int> reserve{};
    std::chrono::milliseconds acquire_timeout{3'000};
    /// Connections above `min` are closed when they have rested for so long.
    std::chrono::milliseconds idle_timeout{30'000};
    /// Less up to 10 %, so that connections made together do not end together.
    std::chrono::milliseconds max_lifetime{1'800'000};
    /// How often a connection is lent before another takes its place.
    int max_uses = 0;
    Validation validation = Validation::peek;
    /// The server is asked over every connection that has rested for so long.
    std::chrono::milliseconds health_check{30'000};
    /// At most so many are being opened at once, and so many begun a second, after a quiet second in one go:
    /// a storm of new connections costs the server more than the queries that they are for.
    int connects_at_once = 4;
    int connects_per_second = 10;
    /// More are refused at once; with zero, all but one who waits. Unless it is said: ten for each
    /// connection, at least 64.
    std::optional<int> max_waiting{};
    /// Waiting for longer than this, for all of the interval, is overload: then nobody waits for more than
    /// twice as long.
    std::chrono::milliseconds shed_above{50};
    std::chrono::milliseconds shed_interval{1'000};
    /// Whatever is lent for longer is told, with the place of the program that borrowed it.
    std::chrono::milliseconds leak_after{30'000};
    /// So many failures of the server in a row open the circuit: nobody is let through. If there is no
    /// server, until there is one; if it fails those whom it lets connect, for `circuit_open_for`, then one
    /// is tried.
    int circuit_failures = 5;
    std::chrono::milliseconds circuit_open_for{30'000};
};

}  // namespace postgres
