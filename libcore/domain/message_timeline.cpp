#include <algorithm>

#include "libcore/domain/message_history.hpp"

namespace domain {

namespace {

std::string text_of(const AttemptRecord& attempt) {
    std::string text = "Attempt " + std::to_string(attempt.number);
    if (attempt.outcome == "SENT") return text + ": the provider accepted it.";
    if (attempt.error) {
        text += ": " + *attempt.error;
    } else if (attempt.http_status) {
        text += ": the provider answered " + std::to_string(*attempt.http_status);
    }
    return text + " (" + attempt.outcome + ").";
}

std::string text_of(const PauseSpan& hold) {
    const std::string what = hold.everything ? "All deliveries were paused" : "Its type was paused";
    const std::string end = hold.until ? ", until " + spoken(*hold.until) : ", until somebody resumed";
    return what + " by " + hold.by + end + (hold.reason.empty() ? "." : ": " + hold.reason);
}

std::string text_of(const InterventionRecord& done) {
    return std::string(done.replay ? "Replayed by " : "Cancelled by ") + done.by + " when it was " +
           done.was + ": " + done.reason;
}

/// Attempts of which there is no row: not recorded, or a success at once, which the message itself tells.
std::optional<TimelineEvent> without_record(int first, int last) {
    if (first > last) return std::nullopt;
    const std::string numbers = first == last
                                    ? "Attempt " + std::to_string(first)
                                    : "Attempts " + std::to_string(first) + " to " + std::to_string(last);
    return TimelineEvent{std::nullopt, "not_recorded",
                         numbers + " left no record: given back before the request."};
}

/// With the instant that it stands at in the order.
using Placed = std::pair<Instant, TimelineEvent>;

void add_attempts(std::vector<Placed>& events, const MessageHistory& history) {
    int next = 1;
    if (history.earlier_attempts > 0 && !history.attempts.empty()) {
        events.emplace_back(
            history.attempts.front().started_at,
            TimelineEvent{std::nullopt, "earlier_attempts",
                          std::to_string(history.earlier_attempts) + " earlier attempts are not listed."});
        next = history.attempts.front().number;
    }
    for (const auto& attempt : history.attempts) {
        if (auto gap = without_record(next, attempt.number - 1))
            events.emplace_back(attempt.started_at, std::move(*gap));
        events.emplace_back(attempt.finished_at,
                            TimelineEvent{attempt.finished_at, "attempt", text_of(attempt), attempt});
        next = attempt.number + 1;
    }
    // The last one is told by the state it led to, unless the message waits again.
    const auto status = history.message.status;
    const bool waits = status == Status::scheduled || status == Status::retrying || status == Status::queued;
    if (auto gap = without_record(next, history.message.attempt - (waits ? 0 : 1)))
        events.emplace_back(history.changed_at, std::move(*gap));
}

bool last_attempt_is_told(const MessageHistory& history) {
    return !history.attempts.empty() && history.attempts.back().number == history.message.attempt;
}

/// By a person, who is told of apart.
bool was_done_last(const MessageHistory& history, bool replay) {
    if (history.interventions.empty() || history.interventions.back().replay != replay) return false;
    const auto& why = history.message.error_message;
    return replay ? history.message.status == Status::scheduled : why && why->starts_with("cancelled by ");
}

/// What led to the present state, where neither an attempt nor a person's doing says it.
std::optional<TimelineEvent> last_event(const MessageHistory& history) {
    const auto& message = history.message;
    const auto changed = history.changed_at;
    const auto attention = history.attention_at.value_or(changed);
    const std::string why = message.error_message ? ": " + *message.error_message : "";
    switch (message.status) {
        case Status::scheduled:
        case Status::retrying:
            if (changed == history.planned_at || last_attempt_is_told(history)) return std::nullopt;
            if (was_done_last(history, true)) return std::nullopt;
            if (message.status == Status::retrying && message.attempt > 0)
                return TimelineEvent{changed, "taken_back", "Taken back to wait again" + why + "."};
            return TimelineEvent{changed, "changed",
                                 "Moved, postponed or taken back; it waits since then as it is now."};
        case Status::queued:
            return TimelineEvent{changed, "dispatched", "A hint was published to the queue."};
        case Status::sending:
            return TimelineEvent{changed, "claimed", "A worker took it."};
        case Status::sent:
            return TimelineEvent{message.actual_send_time, "sent", "Its success was recorded."};
        case Status::failed:
            return TimelineEvent{attention, "failed", "Given up as failed" + why + "."};
        case Status::missed:
            return TimelineEvent{attention, "missed", "Given up as too late."};
        case Status::unknown:
            return TimelineEvent{attention, "unknown",
                                 "Left to a person: the provider may have it" + why + "."};
        case Status::cancelled:
            if (was_done_last(history, false)) return std::nullopt;
            return TimelineEvent{changed, "cancelled", "Cancelled" + why + "."};
    }
    return std::nullopt;
}

}  // namespace

std::vector<TimelineEvent> timeline(const MessageHistory& history) {
    const auto& message = history.message;
    std::vector<Placed> events;
    const auto add = [&](Instant at, const char* event, std::string text) {
        events.emplace_back(at, TimelineEvent{at, event, std::move(text)});
    };
    for (const auto& removal : history.removals)
        add(removal.at, "removed", "An earlier message of the same day was removed.");
    add(history.planned_at, "planned",
        "Planned; its time is now " + spoken(message.scheduled_send_time) + ".");
    if (message.scheduled_send_time <= history.now)
        add(message.scheduled_send_time, "due", "Its time had come.");
    for (const auto& hold : history.holds)
        add(hold.since, hold.everything ? "deliveries_paused" : "type_paused", text_of(hold));
    for (const auto& done : history.interventions)
        add(done.at, done.replay ? "replayed" : "cancelled", text_of(done));
    add_attempts(events, history);
    if (auto last = last_event(history)) {
        const auto at = last->at.value_or(history.changed_at);
        events.emplace_back(at, std::move(*last));
    }

    std::ranges::stable_sort(events, {}, &Placed::first);
    std::vector<TimelineEvent> ordered;
    ordered.reserve(events.size());
    for (auto& [at, event] : events) ordered.push_back(std::move(event));
    return ordered;
}

}  // namespace domain
