// Callers that ask one question after the other, and what they saw.
#pragma once

#include <chrono>
#include <functional>
#include <vector>

namespace bench {

struct ClosedLoop {
    double per_second = 0;
    double p50 = 0;  ///< milliseconds
    double p99 = 0;
    double processor = 0;  ///< microseconds of the asking process, for each question
};

/// Each caller has a thread and asks until the time is over, after half a second that is not counted. `ask`
/// gets the caller's number and says whether the answer was the right one; throws what `ask` throws.
ClosedLoop closed_loop(int callers, std::chrono::milliseconds time, const std::function<bool(int)>& ask);

struct OpenLoop {
    double offered = 0;  ///< questions that were begun, each second
    double served = 0;   ///< of these, with an answer
    std::int64_t refused = 0;
    std::int64_t failed = 0;
    std::vector<double> took;  ///< milliseconds from the moment it was due to the answer
};

enum class Outcome { served, refused, failed };

/// Questions come at a steady rate, whether or not earlier ones have been answered, as long as one of the
/// callers is free.
OpenLoop open_loop(int callers, double per_second, std::chrono::milliseconds time,
                   const std::function<Outcome(int)>& ask);

}  // namespace bench
