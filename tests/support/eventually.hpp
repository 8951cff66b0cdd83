// Waits for what another thread or process is about to make true.
#pragma once

#include <chrono>
#include <thread>

namespace support {

/// Asks every 5 ms until the answer is yes, or until the time is up; the last answer.
template <class Condition>
bool eventually(Condition condition, std::chrono::milliseconds within = std::chrono::seconds(10)) {
    const auto deadline = std::chrono::steady_clock::now() + within;
    while (!condition()) {
        if (std::chrono::steady_clock::now() > deadline) {
            return false;
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return true;
}

}  // namespace support
