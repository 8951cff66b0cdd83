// The e-mail sink as a process of its own, so that it neither shares nor hides the cost of what it takes.
#pragma once

#include <cstdint>
#include <string>

#include "tests/support/http_client.hpp"
#include "tests/support/process.hpp"

namespace bench {

/// Naive: every request is an e-mail, so a duplicate counts.
class SinkProcess {
public:
    /// Answers when it returns; throws std::runtime_error when it does not.
    SinkProcess();

    std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
    pid_t pid() const { return process_.pid(); }

    std::int64_t emails() { return count("delivered"); }
    std::int64_t distinct_emails() { return count("distinct_keys"); }

private:
    std::int64_t count(const char* member);

    int port_;
    support::Process process_;
    support::HttpClient client_;
};

}  // namespace bench
