// Whether a request is within its limits: those of its key, else the defaults of both its key and its
// client's address. Counts in this process alone. Thread-safe.
#pragma once

#include <chrono>
#include <string>

#include "services/api/api_key.hpp"
#include "services/api/bucket_table.hpp"
#include "services/api/client_address.hpp"
#include "services/api/limits.hpp"

namespace api {

struct RateLimits {
    std::chrono::milliseconds window{60'000};
    ClassLimits requests{10, 20, 100, 10};
    int without_key = 100;
};

struct Verdict {
    bool admitted = true;
    int limit = 0;  ///< requests in a window; 0: there is none, and the rest says nothing
    int remaining = 0;
    std::chrono::nanoseconds wait{};    ///< until the next request can be admitted
    std::chrono::nanoseconds refill{};  ///< until all of them can
};

class RateLimiter {
public:
    using Clock = std::chrono::steady_clock;

    /// `seed` is random.
    RateLimiter(const RateLimits& limits, std::uint64_t seed);

    Verdict admit(const LiveKey& key, const Address& client, RequestClass of, Clock::time_point now);
    /// A request without a valid key, or to nowhere. Counts apart from those with one: who guesses keys does
    /// not use up what his neighbours behind the same address have.
    Verdict admit_stranger(const Address& client, Clock::time_point now);

private:
    domain::RateLimit limit(int requests) const { return {.requests = requests, .window = limits_.window}; }

    const RateLimits limits_;
    BucketTable buckets_;
};

}  // namespace api
