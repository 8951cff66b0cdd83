// Counts the system calls of running processes with strace. It slows them many times over, so what is counted
// is never what is timed.
#pragma once

#include <sys/types.h>

#include <map>
#include <stdexcept>
#include <string>

#include "tests/bench/report.hpp"
#include "tests/support/process.hpp"

namespace bench {

/// Where processes may not be traced, or there is no strace.
struct CannotTrace : std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// Of one process with all its threads, from construction to `stop`.
class SystemCalls {
public:
    /// Counting when it returns. Throws CannotTrace.
    explicit SystemCalls(pid_t pid);

    /// Calls by name.
    std::map<std::string, double> stop();

private:
    support::Process strace_;
};

/// Adds `syscalls_NAME` and prints the most frequent ones.
void report_system_calls(Report& report, const std::string& name, const std::map<std::string, double>& calls,
                         double count, const std::string& unit);

}  // namespace bench
