// Ctrl-C and SIGTERM as something to look for between two steps, so that the clock can be put right first.
#pragma once

#include <chrono>
#include <csignal>
#include <stop_token>

namespace demo {

/// Made before any other thread starts: they inherit the blocked signals. One thread waits.
class Interruption {
public:
    Interruption();

    /// Sleeps; returns early, with true, when interrupted.
    bool comes_within(std::chrono::milliseconds pause);
    bool came() const { return source_.stop_requested(); }
    std::stop_token token() const { return source_.get_token(); }

private:
    sigset_t signals_{};
    std::stop_source source_;
};

}  // namespace demo
