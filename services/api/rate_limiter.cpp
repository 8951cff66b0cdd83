#include "services/api/rate_limiter.hpp"

#include <algorithm>

namespace api {

namespace {

// 2 MiB in all.
constexpr std::size_t callers = 65'536;

enum class Kind : std::uint8_t { key, address, stranger };

BucketTable::Owner owner(Kind kind, RequestClass of, const std::array<std::uint8_t, 16>& name) {
    const auto classes = static_cast<std::uint8_t>(class_names.size());
    // A slot that nobody had yet belongs to kind 0, which is nobody's.
    const auto number = 1 + static_cast<std::uint8_t>(kind) * classes + static_cast<std::uint8_t>(of);
    return {.kind = static_cast<std::uint8_t>(number), .name = name};
}

BucketTable::Owner owner(const LiveKey& key, RequestClass of) {
    std::array<std::uint8_t, 16> name{};
    std::copy_n(key.row.prefix.begin(), std::min(key.row.prefix.size(), name.size()), name.begin());
    return owner(Kind::key, of, name);
}

Verdict verdict(const BucketTable::Bucket::Decision& decision, int limit) {
    return {.admitted = decision.allowed,
            .limit = limit,
            .remaining = decision.remaining,
            .wait = decision.wait,
            .refill = decision.refill};
}

}  // namespace

RateLimiter::RateLimiter(const RateLimits& limits, std::uint64_t seed)
    : limits_(limits), buckets_(callers, seed) {}

Verdict RateLimiter::admit(const LiveKey& key, const Address& client, RequestClass of,
                           Clock::time_point now) {
    if (key.limits.unlimited) return {};
    const auto index = static_cast<std::size_t>(of);
    const auto by_key = owner(key, of);
    if (const int own = key.limits.requests[index]; own != 0)
        return verdict(buckets_.take(by_key, limit(own), now), own);

    const int usual = limits_.requests[index];
    const auto by_address = owner(Kind::address, of, network_of(client));
    const auto of_address = buckets_.take(by_address, limit(usual), now);
    if (!of_address.allowed) return verdict(of_address, usual);
    const auto of_key = buckets_.take(by_key, limit(usual), now);
    if (!of_key.allowed) buckets_.give_back(by_address, limit(usual));
    return verdict(of_key.remaining < of_address.remaining || !of_key.allowed ? of_key : of_address, usual);
}

Verdict RateLimiter::admit_stranger(const Address& client, Clock::time_point now) {
    const auto by_address = owner(Kind::stranger, RequestClass::read, network_of(client));
    return verdict(buckets_.take(by_address, limit(limits_.without_key), now), limits_.without_key);
}

}  // namespace api
