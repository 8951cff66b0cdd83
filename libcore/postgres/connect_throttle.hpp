// When a new connection may be opened: a few at once, not too many a second, and after a failure later.
// Pure: time is an argument.
#pragma once

#include <chrono>
#include <random>

namespace postgres {

class ConnectThrottle {
public:
    using Time = std::chrono::steady_clock::time_point;
    using Duration = std::chrono::steady_clock::duration;

    /// Zeros mean no limit. A pool that was quiet may open the connections of a second in one go.
    ConnectThrottle(int at_once, int per_second, unsigned seed);

    /// For somebody who waits for it.
    bool admits(Time now) const { return now >= next(); }
    /// Not before; Time::max() as long as so many are being opened.
    Time next() const;
    /// The same, for nobody yet: leaves something for those who wait, and does not knock as often at a closed
    /// door.
    Time next_ahead() const;

    /// Each start has one of the ends.
    void started(Time now);
    void succeeded();
    void failed(Time now);
    /// There was no room for it at a server that is there.
    void abandoned();

    bool failing() const { return failures_ > 0; }

private:
    Duration pause();
    bool room() const { return at_once_ == 0 || opening_ < at_once_; }

    const int at_once_;
    const Duration interval_;
    const Duration burst_;
    std::minstd_rand random_;
    int opening_ = 0;
    int failures_ = 0;
    Time filled_{};  ///< when all of a second's connections may be opened in one go again
    Time not_before_{};
    Time not_ahead_before_{};
};

}  // namespace postgres
