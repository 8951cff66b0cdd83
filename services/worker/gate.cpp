#include "services/worker/gate.hpp"

#include <algorithm>

#include "libcore/runtime/log.hpp"

namespace worker {

using namespace std::chrono_literals;
using Breaker = domain::Breaker;

namespace {

// What goes back to the ledger is due again after this at the latest: somebody may let the circuit go before
// its time, and other workers have circuits of their own.
constexpr auto longest_pause = 60s;
// Until a lane that waits asks again: stops, recalls and the circuit are seen by then.
constexpr std::chrono::nanoseconds longest_wait = 20ms;
constexpr std::chrono::nanoseconds until_an_answer = 10ms;

template <class Duration>
std::chrono::milliseconds in_milliseconds(Duration duration) {
    return std::chrono::ceil<std::chrono::milliseconds>(duration);
}

void tell_opened(const Breaker::Report& seen, Breaker::Clock::time_point now) {
    runtime::log::error("the provider's circuit opened",
                        {{"cause", to_string(seen.cause)},
                         {"for_ms", in_milliseconds(*seen.until - now).count()},
                         {"calls", seen.calls},
                         {"failures", seen.failures}});
}

double in_seconds(std::chrono::nanoseconds duration) {
    return std::chrono::duration<double>(duration).count();
}

}  // namespace

Gate::Gate(int lanes, ProviderRate* rate, runtime::Registry& registry)
    : rate_(rate),
      breaker_({}, Clock::now()),
      slow_start_(lanes),
      width_(lanes),
      state_(registry.gauge("delivery_circuit_state", "0 closed, 1 half open, 2 open")),
      held_(registry.gauge("delivery_circuit_held", "0 no, 1 held closed, 2 held open, by an operator")),
      width_shown_(registry.gauge("delivery_width", "Requests that may be under way at once")),
      throttled_by_rate_(registry.counter("deliveries_throttled_seconds_total",
                                          "Time in which messages waited with a lane free for them",
                                          {{"by", "rate"}})),
      throttled_by_pause_(registry.counter("deliveries_throttled_seconds_total",
                                           "Time in which messages waited with a lane free for them",
                                           {{"by", "provider"}})),
      asked_to_wait_(registry.counter("provider_throttles_total", "Times that the provider asked for less",
                                      {{"asked", "retry_after"}})),
      asked_for_less_(registry.counter("provider_throttles_total", "Times that the provider asked for less",
                                       {{"asked", "nothing"}})) {
    width_shown_.Set(lanes);
    for (const auto cause : {Breaker::Cause::failure_ratio, Breaker::Cause::outages_in_a_row,
                             Breaker::Cause::failed_probe, Breaker::Cause::held}) {
        opened_[cause] = &registry.counter("delivery_circuit_opened_total", "Times that the circuit opened",
                                           {{"cause", to_string(cause)}});
    }
    for (const auto state : {Breaker::State::open, Breaker::State::closed}) {
        holds_[state] =
            &registry.counter("delivery_circuit_holds_total", "Times that an operator held the circuit",
                              {{"state", to_string(state)}});
    }
}

std::chrono::nanoseconds Gate::pass(Clock::time_point now, int needed) {
    if (const auto closed = closed_for(); closed > 0ms) {
        return std::min<std::chrono::nanoseconds>(closed, longest_wait);
    }
    if (under_way_ >= slow_start_.width() || !breaker_.would_let_through(now)) return until_an_answer;
    // Last, as it takes what nobody gives back.
    if (rate_ != nullptr) {
        if (const auto wait = std::min(rate_->take(now, needed), longest_wait); wait > 0ns) {
            throttled_by_rate_.Increment(in_seconds(wait));
            return wait;
        }
    }
    if (!breaker_.may_call(now)) return until_an_answer;
    ++under_way_;
    if (ramping_) look(now);
    return 0ns;
}

void Gate::answered(const domain::Answer& answer, bool delivered, Clock::time_point sent_at,
                    Clock::time_point now) {
    --under_way_;
    const bool too_many = answer.http_status == 429;
    const bool asked_to_wait = answer.retry_after && (too_many || answer.http_status == 503);
    // A message that is refused for itself says that the provider is well.
    const bool refused_alone = answer.http_status >= 400 && answer.http_status < 500 && !too_many &&
                               !domain::refuses_credentials(answer);
    const bool well = delivered || refused_alone;
    if (well) {
        breaker_.succeeded(now);
        slow_start_.succeeded(sent_at);
    } else if (too_many || asked_to_wait) {
        refused(asked_to_wait, domain::is_outage(answer), sent_at, now);
    } else {
        breaker_.failed(now, domain::is_outage(answer));
    }
    if (asked_to_wait) pause(*answer.retry_after, now);
    look(now);
}

void Gate::missed(Clock::time_point now) {
    --under_way_;
    breaker_.ignored();
    look(now);
}

// Of the requests that were under way together the first says it all: the circuit is for a provider that goes
// on refusing, not for one burst.
void Gate::refused(bool asked_to_wait, bool outage, Clock::time_point sent_at, Clock::time_point now) {
    const bool news = slow_start_.refused(sent_at, now, asked_to_wait);
    if (news) (asked_to_wait ? asked_to_wait_ : asked_for_less_).Increment();
    news || outage ? breaker_.failed(now, outage) : breaker_.ignored();
}

void Gate::pause(std::chrono::milliseconds asked, Clock::time_point now) {
    const auto until = now + std::min<std::chrono::milliseconds>(asked, longest_pause);
    if (until <= paused_until_) return;
    throttled_by_pause_.Increment(in_seconds(until - std::max(paused_until_, now)));
    paused_until_ = until;
}

std::chrono::milliseconds Gate::closed_for() const {
    const auto closed = in_milliseconds(closed_until_.load() - Clock::now());
    return std::clamp<std::chrono::milliseconds>(closed, 0ms, longest_pause);
}

CircuitReport Gate::report(Clock::time_point now) const {
    CircuitReport report{
        .now = now, .breaker = breaker_.report(now), .paused_until = {}, .width = slow_start_.width()};
    if (paused_until_ > now) report.paused_until = paused_until_;
    return report;
}

void Gate::obey(const CircuitOrder& order, Clock::time_point now) {
    if (order.hold) {
        breaker_.hold(*order.hold, now, now + order.length);
        holds_.at(*order.hold)->Increment();
        runtime::log::warn("an operator holds the provider's circuit",
                           {{"state", to_string(*order.hold)}, {"for_ms", order.length.count()}});
    } else {
        breaker_.let_go(now);
    }
    look(now);
}

void Gate::look(Clock::time_point now) {
    const Breaker::Report seen = breaker_.report(now);
    const bool open = seen.state == Breaker::State::open;
    if (open && seen.since != opened_at_) {
        opened_at_ = seen.since;
        opened_.at(seen.cause)->Increment();
        if (!seen.hold) tell_opened(seen, now);
    }
    show_hold(seen);
    closed_until_ = std::max(paused_until_, seen.until.value_or(Clock::time_point{}));
    ramping_ = seen.state != Breaker::State::closed;
    width_ = slow_start_.width();
    width_shown_.Set(slow_start_.width());
    state_.Set(open ? 2 : ramping_ ? 1 : 0);
}

void Gate::show_hold(const Breaker::Report& seen) {
    const auto held = seen.hold ? std::optional(seen.hold->state) : std::nullopt;
    held_.Set(!held ? 0 : *held == Breaker::State::open ? 2 : 1);
    if (hold_told_ && !held) runtime::log::warn("the provider's circuit goes by itself again");
    hold_told_ = held;
}

}  // namespace worker
