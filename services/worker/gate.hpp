// Decides when a lane may send: the circuit, the pauses that the provider asks for, how many requests may be
// under way after one, and the rate. Belongs to the lanes' thread; what any thread may call says so.
#pragma once

#include <atomic>
#include <chrono>
#include <map>
#include <optional>

#include "libcore/domain/breaker.hpp"
#include "libcore/domain/outcome.hpp"
#include "libcore/domain/slow_start.hpp"
#include "libcore/runtime/metrics.hpp"
#include "services/worker/provider_rate.hpp"

namespace worker {

/// What an operator wants of the circuit: to be held open or closed for a while, or to be left to itself.
struct CircuitOrder {
    std::optional<domain::Breaker::State> hold;
    std::chrono::milliseconds length{};
};

/// The circuit and what else holds the lanes back, at one moment.
struct CircuitReport {
    std::chrono::steady_clock::time_point now;
    domain::Breaker::Report breaker;
    std::optional<std::chrono::steady_clock::time_point> paused_until;  ///< as the provider asked
    int width = 0;                                                      ///< requests at once
};

class Gate {
public:
    using Clock = std::chrono::steady_clock;

    /// `rate` may be null: there is no limit. It outlives the gate.
    Gate(int lanes, ProviderRate* rate, runtime::Registry& registry);

    /// Zero: a request may start; `answered` or `missed` follows. Else when to ask again. `needed`: how many
    /// could start.
    std::chrono::nanoseconds pass(Clock::time_point now, int needed);
    void answered(const domain::Answer& answer, bool delivered, Clock::time_point sent_at,
                  Clock::time_point now);
    /// Instead: nobody was there to see an answer, which says nothing about the provider.
    void missed(Clock::time_point now);

    /// How long nothing will be sent, as far as it is worth waiting for: a minute at most. Any thread.
    std::chrono::milliseconds closed_for() const;
    /// How many requests may be under way at once. Any thread.
    int width() const { return width_; }
    /// Only probes and the ramp go through, or nothing. Any thread.
    bool ramping() const { return ramping_; }

    CircuitReport report(Clock::time_point now) const;
    void obey(const CircuitOrder& order, Clock::time_point now);
    /// Shows and tells what has changed by the time alone.
    void look(Clock::time_point now);

private:
    void refused(bool asked_to_wait, bool outage, Clock::time_point sent_at, Clock::time_point now);
    void pause(std::chrono::milliseconds asked, Clock::time_point now);
    void show_hold(const domain::Breaker::Report& seen);

    ProviderRate* const rate_;
    domain::Breaker breaker_;
    domain::SlowStart slow_start_;
    Clock::time_point paused_until_{};
    int under_way_ = 0;
    Clock::time_point opened_at_{};                    ///< as it was told last
    std::optional<domain::Breaker::State> hold_told_;  ///< as well

    std::atomic<Clock::time_point> closed_until_{Clock::time_point{}};
    std::atomic<bool> ramping_{false};
    std::atomic<int> width_;

    prometheus::Gauge& state_;
    prometheus::Gauge& held_;
    prometheus::Gauge& width_shown_;
    prometheus::Counter& throttled_by_rate_;
    prometheus::Counter& throttled_by_pause_;
    prometheus::Counter& asked_to_wait_;
    prometheus::Counter& asked_for_less_;
    std::map<domain::Breaker::Cause, prometheus::Counter*> opened_;
    std::map<domain::Breaker::State, prometheus::Counter*> holds_;
};

}  // namespace worker
