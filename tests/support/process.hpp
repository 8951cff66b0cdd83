// The programs under test as real processes: started from TIDINGS_BIN with an environment of their own, their
// output collected, stopped with the signals an operator or a crash would send.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <csignal>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace support {

using Environment = std::map<std::string, std::string>;

/// A loopback port nobody listens on, below the range outgoing connections are given.
int free_port();

/// One process. It sees only the given environment (and PATH, HOME, sanitizer options), and never outlives
/// this object: the destructor kills it.
class Process {
public:
    /// `program` is a name in TIDINGS_BIN ("api-svc") or a path.
    Process(const std::string& program, const std::vector<std::string>& arguments,
            const Environment& environment);
    ~Process();
    Process(const Process&) = delete;
    Process& operator=(const Process&) = delete;

    pid_t pid() const { return pid_; }
    bool running();
    void send_signal(int signal) const;

    /// The exit code, or 128 + the signal that ended it; throws with the log when it still runs at the
    /// deadline.
    int wait_for_exit(std::chrono::milliseconds timeout = std::chrono::seconds(30));

    /// What it has written to stdout and stderr so far.
    std::string log() const;

private:
    bool reap(int options);

    std::string name_;
    pid_t pid_ = -1;
    int output_ = -1;
    std::optional<int> exit_code_;
};

/// A service, started and ready: `OPS_PORT` (and `PORT`, for api-svc) are free ports unless the environment
/// names them. Throws with the log when it ends or is not ready at the deadline.
class Service {
public:
    Service(const std::string& program, Environment environment,
            std::chrono::milliseconds ready_within = std::chrono::seconds(30));

    int port() const { return port_; }
    int ops_port() const { return ops_port_; }
    Process& process() { return process_; }
    const Process& process() const { return process_; }

    /// SIGTERM; returns the exit code.
    int stop(std::chrono::milliseconds timeout = std::chrono::seconds(30));

    /// kill -9, and waits until it is gone.
    void kill();

private:
    int port_;
    int ops_port_;
    Process process_;
};

/// Runs a command to its end.
struct Finished {
    int exit_code = 0;
    std::string output;
};
Finished run(const std::string& program, const std::vector<std::string>& arguments,
             const Environment& environment, std::chrono::milliseconds timeout = std::chrono::seconds(60));

}  // namespace support
