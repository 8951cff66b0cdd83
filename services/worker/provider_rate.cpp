#include "services/worker/provider_rate.hpp"

#include <algorithm>
#include <utility>

#include "libcore/redis/connection.hpp"
#include "libcore/redis/error.hpp"
#include "libcore/redis/shared_slots.hpp"
#include "libcore/runtime/log.hpp"

namespace worker {

using namespace std::chrono_literals;

namespace {

// What the lanes can use until the next round trip: ten of these a second.
constexpr auto block_length = 100ms;
// Slots are leased so far ahead that each worker can hold a block: they take turns.
constexpr int most_blocks_ahead = 10;
constexpr auto connect_patience = 250ms;
constexpr auto call_patience = 10ms;
// A call, and the loop's way to the processor. Then the lanes go by their own share.
constexpr auto lane_patience = 25ms;
// Without slots in hand, until the answer that is on its way is looked for again.
constexpr auto look_again = 2ms;
constexpr auto first_pause = 100ms;
constexpr auto longest_pause = 2'000ms;
// Without traffic, how often Redis is asked whether it is there.
constexpr auto idle_pause = 5'000ms;

double per_second(std::chrono::nanoseconds interval) {
    return 1.0 / std::chrono::duration<double>(interval).count();
}

}  // namespace

ProviderRate::ProviderRate(const RateSettings& settings, runtime::Loops& loops)
    : settings_(settings),
      interval_(settings.limit->interval()),
      block_(std::max(1, static_cast<int>(block_length / interval_))),
      reason_(settings.redis ? "Redis has not answered yet" : "REDIS_URL is not set"),
      pause_(first_pause),
      shared_(loops.registry().gauge("provider_rate_shared",
                                     "1 while the provider's rate is shared through Redis, 0 while this "
                                     "worker goes by its own share")),
      share_rate_(loops.registry().gauge("provider_rate_share",
                                         "Requests a second that are this worker's own share")),
      answered_(loops.registry().counter("redis_calls_total", "Leases of slots asked of Redis",
                                         {{"result", "ok"}})),
      failed_(loops.registry().counter("redis_calls_total", "Leases of slots asked of Redis",
                                       {{"result", "failed"}})),
      duration_(loops.registry().histogram("redis_call_duration_seconds", "Time of a lease of slots")) {
    loops.registry()
        .gauge("provider_rate_limit", "Requests a second that all workers together may make")
        .Set(per_second(interval_));
    share_rate_.Set(per_second(interval_));
    if (settings_.redis) leasing_.emplace("provider_rate", loops, [this] { return run_once(); });
}

ProviderRate::~ProviderRate() = default;

std::chrono::nanoseconds ProviderRate::take(Clock::time_point now, int needed) {
    const std::lock_guard lock(mutex_);
    if (settings_.redis && !ordered_at_ && now >= none_before_) {
        const int wanted = std::min(needed, block_) - in_hand_.count(now);
        // Half a block before the end, so that the answer is here when it is needed.
        if (wanted > 0 && 2 * wanted >= std::min(needed, block_)) {
            ordered_ = wanted;
            ordered_at_ = now;
            leasing_->wake();
        }
    }
    if (const auto wait = in_hand_.take(now)) return *wait;
    if (rule_ == Rule::shared) {
        if (now < none_before_) return none_before_ - now;
        if (ordered_at_ && now - *ordered_at_ < lane_patience) return look_again;
        go_by(Rule::local, "Redis has not answered in time");
    }
    const auto wanted = std::clamp<std::chrono::nanoseconds::rep>(block_length / share(), 1, needed);
    in_hand_.add(own_.lease(now, share(), std::max<std::chrono::nanoseconds>(share(), block_length),
                            static_cast<int>(wanted)));
    return in_hand_.take(now).value_or(look_again);
}

int ProviderRate::startable(std::chrono::nanoseconds time) const {
    const std::lock_guard lock(mutex_);
    const auto slots = time / share();
    return static_cast<int>(std::clamp<std::chrono::nanoseconds::rep>(slots, 1, 1'000'000));
}

void ProviderRate::set_consumers(int consumers) {
    const std::lock_guard lock(mutex_);
    consumers_ = std::max(1, consumers);
    share_rate_.Set(per_second(share()));
}

runtime::Check ProviderRate::check() const {
    return {"provider_rate", [this] { return state(); }};
}

runtime::CheckResult ProviderRate::state() const {
    const std::lock_guard lock(mutex_);
    if (rule_ == Rule::shared) return {true, "shared through Redis"};
    return {true, "a share of 1 in " + std::to_string(consumers_) + ": " + reason_};
}

std::chrono::milliseconds ProviderRate::run_once() {
    const Order order = take_order();
    const auto began = Clock::now();
    try {
        if (!connection_) {
            connection_ = std::make_unique<redis::Connection>(*settings_.redis, began + connect_patience);
        }
        const auto slots = redis::lease_slots(
            *connection_,
            {.key = settings_.key, .interval = interval_, .horizon = order.horizon, .wanted = order.slots},
            Clock::now() + call_patience);
        duration_.Observe(std::chrono::duration<double>(Clock::now() - began).count());
        answered_.Increment();
        accept(slots, order);
        pause_ = first_pause;
        return idle_pause;
    } catch (const redis::RedisError& error) {
        return fail(error);
    }
}

ProviderRate::Order ProviderRate::take_order() {
    const std::lock_guard lock(mutex_);
    const int blocks = std::min(consumers_ + 1, most_blocks_ahead);
    return {.slots = std::exchange(ordered_, 0), .horizon = blocks * block_length};
}

void ProviderRate::accept(const domain::Slots& slots, const Order& order) {
    const std::lock_guard lock(mutex_);
    in_hand_.add(slots);
    const auto now = Clock::now();
    none_before_ = slots.count > 0 ? Clock::time_point{} : std::max(now, slots.first - order.horizon);
    // An order of the meantime is still to be answered.
    if (ordered_ == 0) ordered_at_.reset();
    go_by(Rule::shared, {});
}

std::chrono::milliseconds ProviderRate::fail(const redis::RedisError& error) {
    failed_.Increment();
    connection_.reset();
    const auto pause = pause_;
    pause_ = std::min<std::chrono::milliseconds>(2 * pause_, longest_pause);
    const std::lock_guard lock(mutex_);
    ordered_ = 0;
    ordered_at_.reset();
    // Nobody asks, and so nobody waits, before this loop has tried again.
    none_before_ = Clock::now() + pause;
    go_by(Rule::local, error.what());
    return pause;
}

void ProviderRate::go_by(Rule rule, const std::string& reason) {
    const bool change = rule != rule_;
    if (change || rule == Rule::local) reason_ = reason;
    if (!change) return;
    rule_ = rule;
    shared_.Set(rule == Rule::shared ? 1 : 0);
    if (!changes_logged_.pass()) return;
    if (rule == Rule::shared) {
        runtime::log::info("the provider's rate is shared through Redis");
    } else {
        runtime::log::warn("the provider's rate is not shared: this worker goes by its own share",
                           {{"reason", reason}, {"consumers", consumers_}});
    }
}

}  // namespace worker
