// What processes of this machine cost, read from /proc.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <string>

namespace bench {

/// Processor time of a process since its start, of its children too: those that live and those that were
/// waited for. Throws std::runtime_error when there is no such process.
std::chrono::milliseconds processor_time(pid_t pid);

/// Of this process so far, and of all that it started and that have ended.
std::chrono::microseconds own_processor_time();
std::chrono::microseconds processor_time_of_ended();

/// Megabytes of memory of a process.
struct Memory {
    double now = 0;
    double peak = 0;  ///< since its start
    double own = 0;   ///< what it shares with no file
};
Memory memory(pid_t pid);
/// Its own, and its part of what it shares with others, in megabytes.
double proportional_memory(pid_t pid);

pid_t parent_of(pid_t pid);

/// The process that listens on a TCP port of this machine; throws std::runtime_error when none can be seen.
pid_t listener_on(int port);

/// Processors and present load: what a result must be read with.
std::string machine_state();

}  // namespace bench
