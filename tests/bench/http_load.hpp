// Load for an HTTP server: kept-alive connections that each send the next request when the last is answered.
// One thread drives all of them.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace bench {

struct Load {
    int port = 0;
    int connections = 64;
    std::chrono::milliseconds duration{5'000};
    int expected_status = 200;
    std::function<std::string()> next_request{};  ///< every byte of it
};

struct LoadResult {
    std::int64_t answered = 0;  ///< with the expected status
    /// Answered otherwise, or not at all; such a connection is not used any further.
    std::int64_t errors = 0;
    double seconds = 0;
    std::vector<double> milliseconds;  ///< of each answered request, from before it was written

    double per_second() const { return static_cast<double>(answered) / seconds; }
};

LoadResult drive(const Load& load);

}  // namespace bench
