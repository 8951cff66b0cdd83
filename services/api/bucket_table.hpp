// Token buckets by caller, in a fixed amount of memory: a caller that nobody has room for takes the place of
// the one whose bucket is nearest to full, which had the least to remember. Thread-safe.
#pragma once

#include <array>
#include <cstdint>
#include <mutex>
#include <vector>

#include "libcore/domain/rate_limit.hpp"

namespace api {

class BucketTable {
public:
    using Bucket = domain::RateBucket;

    /// Whose bucket it is.
    struct Owner {
        std::uint8_t kind = 0;  ///< keeps callers of different kinds apart
        std::array<std::uint8_t, 16> name{};

        friend bool operator==(const Owner&, const Owner&) = default;
    };

    /// `seed` is random, so that nobody can choose names that push each other out. At least `capacity`
    /// buckets.
    BucketTable(std::size_t capacity, std::uint64_t seed);

    Bucket::Decision take(const Owner& owner, const domain::RateLimit& limit, Bucket::Clock::time_point now);
    void give_back(const Owner& owner, const domain::RateLimit& limit);

private:
    struct Slot {
        Owner owner;
        Bucket bucket;
    };
    // The places a caller can have: four cache lines. More would be searched longer, fewer overflow sooner.
    using Places = std::array<Slot, 8>;

    std::size_t index_of(const Owner& owner) const;
    std::mutex& mutex_of(std::size_t index) { return mutexes_[index % mutexes_.size()]; }

    const std::uint64_t seed_;
    std::vector<Places> places_;  // a power of two
    std::array<std::mutex, 64> mutexes_;
};

}  // namespace api
