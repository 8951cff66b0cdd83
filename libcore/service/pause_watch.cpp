#include "libcore/service/pause_watch.hpp"

#include <utility>

#include "libcore/runtime/log.hpp"

namespace service {

using namespace std::chrono_literals;

namespace {

// What workers hold goes back within a second of a pause.
constexpr auto look_every = 500ms;

}  // namespace

PauseState::PauseState(runtime::Registry& registry)
    : gauge_(registry.gauge("deliveries_paused", "1 while an operator has stopped all deliveries")) {}

runtime::Check PauseState::check() {
    return {"deliveries", [this] {
                const std::lock_guard lock(mutex_);
                return runtime::CheckResult{true, state_};
            }};
}

void PauseState::show(const std::string& state) {
    gauge_.Set(state.empty() ? 0 : 1);
    {
        const std::lock_guard lock(mutex_);
        if (state == state_) return;
        state_ = state;
    }
    if (state.empty()) {
        runtime::log::warn("deliveries go on");
    } else {
        runtime::log::warn("deliveries are paused", {{"state", state}});
    }
}

PauseWatch::PauseWatch(postgres::Pool& pool, PauseState& state, runtime::Loops& loops, Paused paused,
                       Renewed renewed)
    : pool_(pool),
      state_(state),
      paused_(std::move(paused)),
      renewed_(std::move(renewed)),
      looking_("pause_watch", loops, [this] { return look(); }, {.first = 100ms, .longest = look_every}) {}

std::chrono::milliseconds PauseWatch::look() {
    const auto signals = postgres::read_signals(pool_);
    look_at_zones(signals);
    const auto& pause = signals.pause;
    if (!pause) {
        state_.show("");
        return look_every;
    }
    if (paused_) paused_(Clock::now());
    state_.show(pause->until ? "paused until " + domain::to_string(*pause->until) : "paused until resumed");
    return look_every;
}

/// At the first look there may be older sessions only while the generation is not settled.
void PauseWatch::look_at_zones(const postgres::Signals& signals) {
    const bool older =
        zone_generation_ ? *zone_generation_ != signals.zone_generation : !signals.zones_settled;
    zone_generation_ = signals.zone_generation;
    if (!older) return;
    pool_.renew();
    runtime::log::info("renewed the database connections: time zone rules have changed",
                       {{"zone_generation", signals.zone_generation}});
    if (renewed_) renewed_();
}

}  // namespace service
