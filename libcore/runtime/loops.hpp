// Knows every loop of a process, and whether one of them is stuck: in the same round for so long that it will
// not come out by itself. A loop that fails and tries again is not stuck.
#pragma once

#include <chrono>
#include <functional>
#include <list>
#include <mutex>
#include <optional>
#include <string>

#include "libcore/runtime/metrics.hpp"
#include "libcore/runtime/readiness.hpp"

namespace runtime {

/// Thread-safe; outlives the loops.
class Loops {
public:
    using Clock = std::chrono::steady_clock;
    /// Since when a loop has been busy with one round; nothing while it waits for work. Quick; any thread.
    using BusySince = std::function<std::optional<Clock::time_point>()>;

    /// `stuck_after` is several times what the longest round may take.
    Loops(Registry& registry, std::chrono::milliseconds stuck_after);
    Loops(const Loops&) = delete;
    Loops& operator=(const Loops&) = delete;

    /// A loop is watched from construction to destruction.
    class Watch {
    public:
        Watch(Loops& loops, std::string name, BusySince busy_since);
        Watch(const Watch&) = delete;
        Watch& operator=(const Watch&) = delete;
        ~Watch();

    private:
        Loops& loops_;
        std::list<std::pair<std::string, BusySince>>::iterator place_;
    };

    /// What /livez says: names the loops that are stuck.
    CheckResult alive() const;

    /// Where the loops count.
    Registry& registry() const { return registry_; }

private:
    Registry& registry_;
    const std::chrono::milliseconds stuck_after_;
    mutable std::mutex mutex_;
    std::list<std::pair<std::string, BusySince>> watched_;
};

}  // namespace runtime
