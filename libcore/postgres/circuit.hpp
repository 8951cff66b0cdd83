// Whether it makes sense to ask the database at all. Some failures in a row that are nobody's but the
// server's or the way's to it open the circuit; until it closes everybody is refused at once.
// Pure: time is an argument.
#pragma once

#include <chrono>

namespace postgres {

class Circuit {
public:
    using Time = std::chrono::steady_clock::time_point;
    using Duration = std::chrono::steady_clock::duration;

    enum class State {
        closed,
        open,
        half_open,  ///< one has been let through, and the others learn from it
    };

    /// Opens after so many failures in a row; with zero never.
    Circuit(int failures, Duration hold) : most_failures_(failures), hold_(hold) {}

    State state() const { return state_; }
    bool admits(Time now) const {
        return state_ == State::closed || (state_ == State::open && !lacks_server_ && now >= until_);
    }
    /// The end of the hold, if there is one.
    Time until() const { return until_; }
    /// It is open because there is no server: one that lets somebody connect closes it. The hold is for a
    /// server that lets everybody connect and then fails them.
    bool lacks_server() const { return state_ != State::closed && lacks_server_; }

    /// Names a probe.
    using Probe = int;
    static constexpr Probe none = 0;

    /// Somebody is let through; `none` if like everybody.
    Probe probe() {
        if (state_ != State::open) return none;
        state_ = State::half_open;
        return ++probe_;
    }
    /// Whoever was let through may have learnt nothing.
    void probe_ended(Probe probe);

    void succeeded();
    /// `lost`: with the connection. Else the server did not answer even a cancel.
    void failed(bool lost, Time now);
    void connected();
    void could_not_connect(Time now);

private:
    void open(bool lost, Time now);

    const int most_failures_;
    const Duration hold_;
    State state_ = State::closed;
    Probe probe_ = none;  ///< the last one: an earlier one may still be out
    int failures_ = 0;
    bool proven_ = true;  ///< something has succeeded since it was closed by a mere connection
    bool lacks_server_ = false;
    Time until_{};
};

}  // namespace postgres
