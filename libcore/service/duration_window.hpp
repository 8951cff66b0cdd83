// How long the last thousand of something took. Any thread may add, without a lock; who reads sees about the
// last thousand. Pure.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace service {

class DurationWindow {
public:
    static constexpr std::size_t size = 1'000;

    struct Entry {
        std::chrono::nanoseconds duration;
        std::uint16_t tag;
    };

    /// `tag` is the caller's, to tell one thing from another.
    void add(std::chrono::nanoseconds duration, std::uint16_t tag = 0) {
        constexpr std::int64_t longest = (std::int64_t{1} << 47) - 1;  // a day and a half
        const auto kept = std::clamp<std::int64_t>(duration.count(), 0, longest);
        const auto place = next_.fetch_add(1, std::memory_order_relaxed) % size;
        // Zero is a place that is empty.
        entries_[place].store((static_cast<std::uint64_t>(kept) << 16 | tag) + 1, std::memory_order_relaxed);
    }

    std::vector<Entry> entries() const {
        std::vector<Entry> found;
        found.reserve(size);
        for (const auto& each : entries_) {
            const auto packed = each.load(std::memory_order_relaxed);
            if (packed == 0) continue;
            found.push_back({std::chrono::nanoseconds((packed - 1) >> 16),
                             static_cast<std::uint16_t>((packed - 1) & 0xffff)});
        }
        return found;
    }

private:
    std::array<std::atomic<std::uint64_t>, size> entries_{};
    std::atomic<std::uint64_t> next_{0};
};

/// All zero if there are none.
struct Percentiles {
    std::size_t count = 0;
    std::chrono::nanoseconds p50{}, p95{}, p99{}, max{};
};

/// By nearest rank: of 20, the 95th percentile is the nineteenth.
Percentiles percentiles(std::vector<std::chrono::nanoseconds> durations);
Percentiles percentiles(const DurationWindow& window);

}  // namespace service
