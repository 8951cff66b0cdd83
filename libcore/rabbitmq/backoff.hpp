// The pause before the next attempt to connect: doubles from 100 ms to 5 s, the upper half of it random, so
// that a fleet that lost one broker does not come back in step.
#pragma once

#include <algorithm>
#include <chrono>
#include <random>

namespace rabbitmq {

class Backoff {
public:
    std::chrono::milliseconds next() {
        const auto pause = ceiling_;
        ceiling_ = std::min(2 * ceiling_, longest);
        std::uniform_int_distribution<std::chrono::milliseconds::rep> jitter(pause.count() / 2,
                                                                             pause.count());
        return std::chrono::milliseconds(jitter(random_));
    }

    void reset() { ceiling_ = shortest; }

private:
    static constexpr std::chrono::milliseconds shortest{100};
    static constexpr std::chrono::milliseconds longest{5000};

    std::chrono::milliseconds ceiling_ = shortest;
    std::minstd_rand random_{std::random_device{}()};
};

}  // namespace rabbitmq
