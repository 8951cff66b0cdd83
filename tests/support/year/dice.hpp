// Chance by seed: the same numbers on every machine, whatever other streams of the same seed were asked.
#pragma once

#include <chrono>
#include <cmath>
#include <cstdint>
#include <random>

namespace year {

class Dice {
public:
    Dice(std::uint64_t seed, std::uint64_t stream) : engine_(seed * 0x9E3779B97F4A7C15U + stream) {
        engine_.discard(8);
    }

    std::uint64_t next() { return engine_(); }
    int below(int count) { return static_cast<int>(engine_() % static_cast<std::uint64_t>(count)); }
    int between(int low, int high) { return low + below(high - low + 1); }
    bool percent(int share) { return below(100) < share; }

    template <class Range>
    const auto& of(const Range& range) {
        return range[static_cast<std::size_t>(below(static_cast<int>(std::size(range))))];
    }

    /// Short ones and long ones alike: each order of magnitude is as likely as the next.
    std::chrono::minutes lasting(std::chrono::minutes shortest, std::chrono::minutes longest) {
        const double ratio = static_cast<double>(longest.count()) / static_cast<double>(shortest.count());
        const double exponent = below(1000) / 1000.0;
        return std::chrono::minutes(
            std::llround(static_cast<double>(shortest.count()) * std::pow(ratio, exponent)));
    }

private:
    std::mt19937_64 engine_;
};

}  // namespace year
