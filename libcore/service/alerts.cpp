#include "libcore/service/alerts.hpp"

#include <algorithm>
#include <functional>
#include <utility>

namespace service {

namespace {

Severity severity_of(const Signal& signal) {
    for (std::size_t i = signal.thresholds.size(); i > 0; --i)
        if (signal.value >= signal.thresholds.at(i - 1)) return static_cast<Severity>(i);
    return Severity::none;
}

}  // namespace

const char* to_string(Severity severity) {
    constexpr std::array names{"none", "info", "warning", "critical"};
    return names.at(static_cast<std::size_t>(severity));
}

void Alerts::look(std::span<const Signal> signals, Time now) {
    for (Watched& watched : watched_) {
        const bool asked = std::ranges::any_of(signals, [&](const Signal& signal) {
            return signal.name == watched.alert.name && signal.pool == watched.alert.pool;
        });
        if (!asked && watched.alert.severity != Severity::none) change(watched, Severity::none, now);
    }
    for (const Signal& signal : signals) look(signal, now);
}

/// Up to the least of the rounds that were all above, down to the most of those that were all below.
void Alerts::look(const Signal& signal, Time now) {
    auto found = std::ranges::find_if(watched_, [&](const Watched& it) {
        return it.alert.name == signal.name && it.alert.pool == signal.pool;
    });
    if (found == watched_.end())
        found = watched_.insert(found, {{signal.name, signal.pool, Severity::none, signal.value,
                                         Signal::never, now, signal.minor}});
    const Severity seen = severity_of(signal), told = found->alert.severity;
    found->alert.value = signal.value;
    if (seen == told) {
        found->rounds = 0;
        return;
    }
    const bool same_way = found->rounds > 0 && (found->candidate > told) == (seen > told);
    if (!same_way)
        found->candidate = seen;
    else
        found->candidate = seen > told ? std::min(found->candidate, seen) : std::max(found->candidate, seen);
    found->rounds = same_way ? found->rounds + 1 : 1;
    if (found->rounds < signal.rounds) return;
    const auto severity = found->candidate;
    found->alert.threshold = severity == Severity::none
                                 ? Signal::never
                                 : signal.thresholds.at(static_cast<std::size_t>(severity) - 1);
    change(*found, severity, now);
}

void Alerts::change(Watched& watched, Severity severity, Time now) {
    const auto before = std::exchange(watched.alert.severity, severity);
    watched.alert.since = now;
    watched.rounds = 0;
    changes_.push_back({watched.alert, before});
    if (changes_.size() > most_changes) changes_.pop_front();
}

std::vector<Alert> Alerts::current() const {
    std::vector<Alert> alerts;
    for (const Watched& watched : watched_)
        if (watched.alert.severity != Severity::none) alerts.push_back(watched.alert);
    std::ranges::stable_sort(alerts, std::ranges::greater{}, &Alert::severity);
    return alerts;
}

}  // namespace service
