#include "services/api/bucket_table.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

namespace api {

namespace {

/// SplitMix64's: every bit of the result depends on every bit of the number.
std::uint64_t mixed(std::uint64_t number) {
    number = (number ^ (number >> 30)) * 0xBF58476D1CE4E5B9;
    number = (number ^ (number >> 27)) * 0x94D049BB133111EB;
    return number ^ (number >> 31);
}

}  // namespace

BucketTable::BucketTable(std::size_t capacity, std::uint64_t seed)
    : seed_(seed), places_(std::bit_ceil(std::max<std::size_t>(capacity / Places{}.size(), 1))) {}

std::size_t BucketTable::index_of(const Owner& owner) const {
    std::array<std::uint64_t, 2> halves{};
    std::memcpy(halves.data(), owner.name.data(), owner.name.size());
    const auto hash = mixed(mixed(mixed(seed_ ^ owner.kind) ^ halves[0]) ^ halves[1]);
    return static_cast<std::size_t>(hash) & (places_.size() - 1);
}

BucketTable::Bucket::Decision BucketTable::take(const Owner& owner, const domain::RateLimit& limit,
                                                Bucket::Clock::time_point now) {
    const auto index = index_of(owner);
    auto& places = places_[index];
    const std::lock_guard lock(mutex_of(index));
    auto slot = std::find_if(places.begin(), places.end(), [&](const Slot& s) { return s.owner == owner; });
    if (slot == places.end()) {
        slot = std::min_element(places.begin(), places.end(), [](const Slot& a, const Slot& b) {
            return a.bucket.full_at() < b.bucket.full_at();
        });
        *slot = {owner, {}};
    }
    return slot->bucket.take(limit, now);
}

void BucketTable::give_back(const Owner& owner, const domain::RateLimit& limit) {
    const auto index = index_of(owner);
    const std::lock_guard lock(mutex_of(index));
    for (auto& slot : places_[index])
        if (slot.owner == owner) slot.bucket.give_back(limit);
}

}  // namespace api
