// How often this worker may ask the provider: by slots leased from a sequence that all workers share in
// Redis, and while Redis does not answer by its own share of the rate, which is the rate divided by the
// number of the queue's consumers. Thread-safe; Redis belongs to a loop of its own, and nobody waits for it.
#pragma once

#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "libcore/domain/slots.hpp"
#include "libcore/runtime/log.hpp"
#include "libcore/runtime/loops.hpp"
#include "libcore/runtime/metrics.hpp"
#include "libcore/runtime/periodic.hpp"
#include "libcore/runtime/readiness.hpp"
#include "services/worker/settings.hpp"

namespace redis {
class Connection;
class RedisError;
}  // namespace redis

namespace worker {

class ProviderRate {
public:
    using Clock = std::chrono::steady_clock;

    /// There is a limit.
    ProviderRate(const RateSettings& settings, runtime::Loops& loops);
    ProviderRate(const ProviderRate&) = delete;
    ProviderRate& operator=(const ProviderRate&) = delete;
    ~ProviderRate();

    /// Zero: a request may start now, and is counted. Else when to ask again. `needed`: how many requests
    /// could start.
    std::chrono::nanoseconds take(Clock::time_point now, int needed);

    /// How many requests may surely start in that time if every consumer wants to; at least one.
    int startable(std::chrono::nanoseconds time) const;

    /// Of the queue, this worker included; at least one.
    void set_consumers(int consumers);

    /// Tells which of the two rules holds; never fails.
    runtime::Check check() const;

private:
    /// By which slots are had.
    enum class Rule { shared, local };
    /// What Redis is asked for.
    struct Order {
        int slots = 0;  ///< none: only whether it answers
        std::chrono::milliseconds horizon{};
    };

    runtime::CheckResult state() const;
    std::chrono::milliseconds run_once();
    Order take_order();
    void accept(const domain::Slots& slots, const Order& order);
    std::chrono::milliseconds fail(const redis::RedisError& error);
    /// `reason`: why it is the local one.
    void go_by(Rule rule, const std::string& reason);
    std::chrono::nanoseconds share() const { return interval_ * consumers_; }

    const RateSettings settings_;
    const std::chrono::nanoseconds interval_;
    const int block_;  ///< most slots leased at once

    mutable std::mutex mutex_;
    domain::SlotsInHand in_hand_;
    domain::SlotSequence own_;
    Rule rule_ = Rule::local;
    std::string reason_;
    runtime::log::RateLimit changes_logged_{std::chrono::seconds(10)};
    int consumers_ = 1;
    int ordered_ = 0;                              ///< slots that Redis is to be asked for
    std::optional<Clock::time_point> ordered_at_;  ///< an order that is not answered yet
    Clock::time_point none_before_{};              ///< what Redis said when it had none

    // Of the loop alone.
    std::unique_ptr<redis::Connection> connection_;
    std::chrono::milliseconds pause_;

    prometheus::Gauge& shared_;
    prometheus::Gauge& share_rate_;
    prometheus::Counter& answered_;
    prometheus::Counter& failed_;
    prometheus::Histogram& duration_;
    std::optional<runtime::Periodic> leasing_;
};

}  // namespace worker
