// CoDel for people instead of packets: a queue that is there to smooth a burst is empty again within a
// second; one that is not only makes everybody late, and serving the same number sooner harms nobody. Pure:
// time is an argument.
#pragma once

#include <chrono>
#include <optional>

namespace postgres {

class Shedding {
public:
    using Time = std::chrono::steady_clock::time_point;
    using Duration = std::chrono::steady_clock::duration;

    /// With a target of zero nobody is shed.
    Shedding(Duration target, Duration interval) : target_(target), interval_(interval) {}

    /// Somebody's turn has come after so long. With `standing` there are more behind than could be served in
    /// one go: fewer only wait for somebody to finish, however long that takes.
    void turn(Duration waited, bool standing, Time now) {
        if (!standing || waited <= target_)
            above_since_.reset();
        else
            note(now);
    }

    /// Whoever is first in line has waited so long already.
    void waiting(Duration waited, bool standing, Time now) {
        if (!standing)
            above_since_.reset();
        else if (waited > target_)
            note(now);
    }

    /// Nobody waits for longer than `longest_wait()`.
    bool overloaded(Time now) const { return above_since_ && now - *above_since_ >= interval_; }
    Duration target() const { return target_; }
    Duration longest_wait() const { return 2 * target_; }

    /// When to look again at a line whose first came at `since`, even if nothing happens until then.
    Time look_at(Time since, Time now) const {
        if (target_ == Duration::zero()) return Time::max();
        if (!above_since_) return since + target_ + Duration(1);
        return overloaded(now) ? since + longest_wait() : *above_since_ + interval_;
    }

private:
    void note(Time now) {
        if (target_ > Duration::zero() && !above_since_) above_since_ = now;
    }

    const Duration target_;
    const Duration interval_;
    std::optional<Time> above_since_;
};

}  // namespace postgres
