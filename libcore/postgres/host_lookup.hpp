// Looks up the addresses of hosts' names. That may hang for as long as the resolver likes, so each lookup has
// a thread that nobody joins, and whoever waits for it does so for as long as he likes.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "libcore/postgres/libpq.hpp"

namespace postgres {

struct HostAddresses {
    std::vector<std::string> addresses;  ///< in figures, the best first
    std::string problem;                 ///< why there are none
};

/// Asks the system; blocks.
HostAddresses addresses_of(const std::string& host);

/// It is under way, or has ended. For any thread.
class HostLookup {
public:
    /// Null if it has not ended until then, or when asked to stop. What it points to lives as long as this.
    const HostAddresses* wait(Deadline until, const std::stop_token& stop);

private:
    friend class HostLookups;
    void end(HostAddresses found);

    std::mutex mutex_;
    std::condition_variable_any ended_;
    std::optional<HostAddresses> found_;
};

/// For any thread. It may end before its lookups do.
class HostLookups {
public:
    using LookUp = std::function<HostAddresses(const std::string& host)>;

    explicit HostLookups(LookUp look_up = addresses_of);
    /// Shared by the whole process; never ends.
    static HostLookups& of_process();

    /// One of this name that was begun within the last second, or a new one; if three are under way, the
    /// newest of these. Nothing is remembered of those that have ended. Throws DatabaseError if there is no
    /// thread for it.
    std::shared_ptr<HostLookup> look_up(const std::string& host);

private:
    struct State;
    std::shared_ptr<State> state_;
};

}  // namespace postgres
