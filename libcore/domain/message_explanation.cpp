#include <algorithm>

#include "libcore/domain/message_history.hpp"
#include "libcore/domain/outcome.hpp"

namespace domain {

namespace {

using std::chrono::microseconds;
using std::chrono::seconds;

// Dispatch, queue and provider take some seconds at a peak; nobody calls that late.
constexpr std::chrono::minutes on_time{1};

std::int64_t count_of(microseconds duration) {
    return std::chrono::floor<seconds>(duration).count();
}

bool was_taken_back(const MessageHistory& history) {
    return history.attempts.empty() || history.attempts.back().number < history.message.attempt;
}

std::string plural(int count, const std::string& noun) {
    return std::to_string(count) + " " + noun + (count == 1 ? "" : "s");
}

Explanation begin(const MessageHistory& history, std::string code, std::string text) {
    Explanation explanation{std::move(code), std::move(text)};
    explanation.with("scheduledSendTime", history.message.scheduled_send_time);
    return explanation;
}

void tell_answer(Explanation& explanation, const MessageHistory& history) {
    explanation.with_if("httpStatus", history.message.api_response_code)
        .with_if("error", history.message.error_message)
        .with_if("responseBody", history.response_body);
}

/// A change in this time may have moved it to an instant that had passed.
bool is_within(const std::optional<Instant>& change, Instant after, Instant end) {
    return change && *change > after && *change <= end;
}

/// How long anything was paused; pauses that overlap count once.
microseconds time_paused(const std::vector<PauseSpan>& in_order, Instant from, Instant end) {
    microseconds held{};
    for (const auto& hold : in_order) {
        from = std::max(from, hold.since);
        const auto until = std::min(hold.until.value_or(end), end);
        if (until <= from) continue;
        held += until - from;
        from = until;
    }
    return held;
}

/// What is known to have held it up between its time and `end`; says so when nothing is.
void tell_causes(Explanation& explanation, const MessageHistory& history, Instant end) {
    const auto& message = history.message;
    bool known = false;
    const auto say = [&](const std::string& sentence) {
        explanation.say(sentence);
        known = true;
    };
    bool moved = false;
    const auto tell_change = [&](const char* who, const char* fact, const std::optional<Instant>& at) {
        if (!is_within(at, message.scheduled_send_time, end)) return;
        say(std::string(who) + " changed at " + spoken(*at) +
            ", after this time: that moved it here, unless it was waiting already.");
        explanation.with(fact, *at);
        moved = true;
    };
    tell_change("The user was", "userChangedAt", history.user_changed_at);
    tell_change("The type's rules were", "typeRulesChangedAt", history.type_rules_changed_at);
    if (!moved && history.planned_at > message.scheduled_send_time) {
        say("It was planned only at " + spoken(history.planned_at) +
            ", after its time: the planner was behind.");
        explanation.with("plannedAt", history.planned_at);
    }
    for (const auto& hold : history.holds) {
        const auto from = std::max(hold.since, message.scheduled_send_time);
        const auto until = std::min(hold.until.value_or(end), end);
        if (until <= from) continue;
        say(std::string(hold.everything ? "All deliveries were" : "Its type was") + " paused by " + hold.by +
            " from " + spoken(hold.since) + " to " + spoken(until) +
            (hold.reason.empty() ? "." : " (" + hold.reason + ")."));
    }
    const auto held = time_paused(history.holds, message.scheduled_send_time, end);
    if (held > microseconds::zero()) explanation.with("pausedSeconds", count_of(held));
    const int recorded = static_cast<int>(history.attempts.size()) + history.earlier_attempts;
    const int unsuccessful =
        recorded - (!history.attempts.empty() && history.attempts.back().outcome == "SENT" ? 1 : 0);
    if (unsuccessful > 0) {
        say(plural(unsuccessful, "attempt") + " before did not succeed; see the timeline.");
        explanation.with("unsuccessfulAttempts", std::int64_t{unsuccessful});
    }
    if (history.rescues > 0) {
        say("A worker was lost with it " + plural(history.rescues, "time") + ".");
        explanation.with("rescues", std::int64_t{history.rescues});
    }
    known = known || std::ranges::any_of(history.interventions, &InterventionRecord::replay);
    if (!known)
        explanation.say(
            "The ledger records no cause: no pause, change, failed attempt or late planning. Programs that "
            "were "
            "down or could not keep up leave no trace in it.");
}

/// Where its lateness begins.
Instant late_from(const MessageHistory& history) {
    const auto planned = history.message.scheduled_send_time;
    return std::max(planned, history.message.replayed_for.value_or(planned));
}

bool is_too_late(const MessageHistory& history) {
    return history.max_lateness && history.now > late_from(history) + *history.max_lateness;
}

/// Warns where a wait leads beyond what the type allows.
void warn_of_missing(Explanation& explanation, const MessageHistory& history,
                     const std::optional<Instant>& until) {
    if (!history.max_lateness) return;
    const auto last = late_from(history) + *history.max_lateness;
    explanation.with("missedAfter", last);
    if (!until || *until > last)
        explanation.say("If it is still waiting after " + spoken(last) + " it is MISSED.");
}

Explanation paused(const MessageHistory& history) {
    const auto until =
        history.everything_paused ? history.everything_paused_until : history.type_paused_until;
    auto explanation = begin(history, "waiting_paused",
                             history.everything_paused ? "All deliveries are paused" : "Its type is paused");
    explanation.text += until ? " until " + spoken(*until) + "." : " until somebody resumes them.";
    explanation.with("paused", std::string(history.everything_paused ? "everything" : "messageType"))
        .with_if("pausedUntil", until);
    warn_of_missing(explanation, history, until);
    return explanation;
}

bool type_is_paused(const MessageHistory& history) {
    return history.type_paused_until && *history.type_paused_until > history.now;
}

Explanation not_due(const MessageHistory& history) {
    const auto due = history.message.scheduled_send_time;
    auto explanation = begin(
        history, "waiting",
        "It is planned, and not due before " + spoken(due) + " (in " + spoken(due - history.now) + ").");
    if (history.everything_paused &&
        (!history.everything_paused_until || *history.everything_paused_until > due)) {
        explanation.say("All deliveries are paused, beyond that time as it stands.")
            .with("paused", std::string("everything"))
            .with_if("pausedUntil", history.everything_paused_until);
        warn_of_missing(explanation, history, history.everything_paused_until);
    } else if (history.type_paused_until && *history.type_paused_until > due) {
        explanation
            .say("Its type is paused until " + spoken(*history.type_paused_until) + ", and it goes out then.")
            .with("paused", std::string("messageType"))
            .with("pausedUntil", *history.type_paused_until);
        warn_of_missing(explanation, history, history.type_paused_until);
    }
    return explanation;
}

Explanation waiting_again(const MessageHistory& history) {
    const auto& message = history.message;
    const auto next = message.due_at.value_or(history.now);
    constexpr int retries = RetryPolicy().retries;
    const bool taken_back = was_taken_back(history);
    auto explanation = begin(history, taken_back ? "given_back" : "waiting_retry", "");
    if (taken_back) {
        explanation.text =
            history.rescues > 0 && message.in_doubt
                ? "It was taken back from a worker that was lost, or given back"
                : "A worker gave it back before sending it: stopping, paused, or the provider away";
        explanation.text += "; it is due again at " + spoken(next) + ".";
    } else {
        explanation.text = "Attempt " + std::to_string(message.attempt) + " did not succeed" +
                           (message.error_message ? " (" + *message.error_message + ")" : "") +
                           "; the next comes at " + spoken(next) + ". " +
                           plural(message.failures, "failure") + " counted; after " +
                           std::to_string(retries) + " the next is final.";
    }
    explanation.with("attempt", std::int64_t{message.attempt})
        .with("failures", std::int64_t{message.failures})
        .with("retries", std::int64_t{retries})
        .with("nextAttemptAt", next);
    tell_answer(explanation, history);
    if (message.in_doubt) explanation.say("The provider may already have it; it is sent under the same key.");
    return explanation;
}

Explanation due_now(const MessageHistory& history) {
    const auto since = history.message.due_at.value_or(history.message.scheduled_send_time);
    auto explanation =
        begin(history, "waiting_dispatch",
              "It is due since " + spoken(since) +
                  " and no scheduler has published it yet: a backlog, a full queue, no broker, or "
                  "no scheduler that works.");
    explanation.with("dueSince", since);
    if (is_too_late(history)) {
        explanation.say("It is later than its type allows and is MISSED as soon as a scheduler looks at it.");
        explanation.with("missedAfter", late_from(history) + *history.max_lateness);
    }
    return explanation;
}

Explanation waiting(const MessageHistory& history) {
    const auto& message = history.message;
    if (history.outdated) {
        return begin(
            history, "waiting_replan",
            "It was planned for the person or the type as they were before a change. It is brought in "
            "line with them, within seconds, and never sent as it is.");
    }
    if (message.scheduled_send_time > history.now) return not_due(history);
    if (history.everything_paused) return paused(history);
    const bool due = !message.due_at || *message.due_at <= history.now;
    // Postponed to the end of the pause, or about to be.
    if (type_is_paused(history) && (due || *message.due_at == *history.type_paused_until))
        return paused(history);
    if (due) return due_now(history);
    if (message.replayed_for == message.due_at)
        return begin(history, "waiting_replay",
                     "It was replayed, and is due at " + spoken(*message.due_at) + ", in its turn.")
            .with("dueAt", *message.due_at);
    if (message.status == Status::retrying) return waiting_again(history);
    return begin(history, "waiting", "It waits until " + spoken(*message.due_at) + ".")
        .with("dueAt", *message.due_at);
}

Explanation in_queue(const MessageHistory& history) {
    auto explanation =
        begin(history, "in_queue",
              "Its hint is in the queue since " + spoken(history.changed_at) +
                  " and no worker has claimed it yet: the workers are busy, stopped, or their circuit "
                  "is open.");
    explanation.with("queuedAt", history.changed_at);
    if (history.everything_paused)
        explanation.say("All deliveries are paused: whoever takes it gives it back.");
    return explanation;
}

Explanation in_flight(const MessageHistory& history) {
    auto explanation = begin(history, "in_flight", "A worker has it");
    explanation.with("attempt", std::int64_t{history.message.attempt})
        .with_if("leaseUntil", history.lease_until);
    if (!history.lease_until || *history.lease_until > history.now) {
        explanation.text +=
            history.lease_until ? " until " + spoken(*history.lease_until) + " at most." : ".";
    } else {
        explanation.text += ", and its lease ran out at " + spoken(*history.lease_until) +
                            ": a scheduler takes it back. The provider may have it.";
    }
    return explanation;
}

Explanation sent(const MessageHistory& history) {
    const auto at = history.message.actual_send_time.value_or(history.changed_at);
    const auto late = at - history.message.scheduled_send_time;
    auto explanation = begin(history, late < on_time ? "sent" : "sent_late", "");
    explanation.with("sentAt", at)
        .with("lateBySeconds", count_of(late))
        .with("attempt", std::int64_t{history.message.attempt})
        .with_if("httpStatus", history.message.api_response_code);
    if (late < on_time) {
        explanation.text = "It was sent at " + spoken(at) + ", " + spoken(late) + " after its time.";
    } else {
        explanation.text = "It was sent at " + spoken(at) + ", " + spoken(late) + " late.";
        if (history.after_the_day) explanation.say("The recipient's day had passed.");
        explanation.with("afterTheDay", history.after_the_day);
        tell_causes(explanation, history, at);
    }
    if (history.message.in_doubt)
        explanation.say("An earlier attempt may have reached the provider too, under the same key.");
    return explanation;
}

Explanation missed(const MessageHistory& history) {
    const auto at = history.attention_at.value_or(history.changed_at);
    const auto late = at - history.message.scheduled_send_time;
    auto explanation = begin(
        history, "missed",
        "It was not sent: when it could have been, at " + spoken(at) + ", it was " + spoken(late) + " late");
    explanation.with("missedAt", at).with("lateBySeconds", count_of(late));
    if (history.max_lateness) {
        const auto counted = at - late_from(history);
        explanation.with("maxLatenessSeconds", count_of(*history.max_lateness));
        explanation.text +=
            counted > *history.max_lateness
                ? ", " + spoken(counted - *history.max_lateness) + " more than its type allows."
                : ". Its type allows more by now than it did then.";
    } else {
        explanation.text += ", more than its type allowed.";
    }
    tell_causes(explanation, history, at);
    return explanation;
}

Explanation failed(const MessageHistory& history) {
    const auto& message = history.message;
    auto explanation = begin(history, "failed", "It was not sent: ");
    if (message.api_response_code) {
        explanation.text += "the provider answered " + std::to_string(*message.api_response_code);
    } else {
        explanation.text += message.error_message.value_or("the reason is not recorded");
    }
    explanation.text +=
        message.failures > RetryPolicy().retries ? ", and all retries were spent." : ", which is final.";
    explanation.with("attempt", std::int64_t{message.attempt})
        .with("failures", std::int64_t{message.failures});
    tell_answer(explanation, history);
    return explanation;
}

Explanation unknown(const MessageHistory& history) {
    const auto& message = history.message;
    auto explanation =
        begin(history, "in_doubt",
              "Nobody knows whether it was delivered: a request was written and its end not seen, and "
              "then it was given up");
    explanation.text += message.error_message ? " (" + *message.error_message + ")." : ".";
    explanation.say("Ask the provider for its idempotency key.")
        .with("attempt", std::int64_t{message.attempt})
        .with("idempotencyKey",
              idempotency_key(message.user_id, message.message_type, message.delivery_date));
    if (history.rescues > 0) explanation.with("rescues", std::int64_t{history.rescues});
    tell_answer(explanation, history);
    return explanation;
}

Explanation cancelled(const MessageHistory& history) {
    const auto& why = history.message.error_message;
    const auto at = history.changed_at;
    const auto because = [&](const char* code, const std::string& text) {
        return begin(history, code, text).with("cancelledAt", at).with_if("error", why);
    };
    if (why == "user deleted")
        return because("cancelled_deleted",
                       "The user was deleted before it was sent, by " + spoken(at) + ".");
    if (why == "opted out")
        return because("cancelled_opted_out",
                       "The user opted out before it was sent, by " + spoken(at) + ".");
    if (why && why->starts_with("suppressed"))
        return because("suppressed", "It was held back at " + spoken(at) +
                                         ": the recipient is not in RECIPIENT_ALLOWLIST.");
    if (why && why->starts_with("cancelled by "))
        return because("cancelled_by_person", "A person cancelled it at " + spoken(at) + ": " + *why + ".");
    return because("cancelled", "It was cancelled at " + spoken(at) + (why ? ": " + *why + "." : "."));
}

Explanation of_state(const MessageHistory& history) {
    switch (history.message.status) {
        case Status::scheduled:
        case Status::retrying:
            return waiting(history);
        case Status::queued:
            return in_queue(history);
        case Status::sending:
            return in_flight(history);
        case Status::sent:
            return sent(history);
        case Status::failed:
            return failed(history);
        case Status::missed:
            return missed(history);
        case Status::unknown:
            return unknown(history);
        case Status::cancelled:
            return cancelled(history);
    }
    return {};
}

}  // namespace

Explanation explain(const MessageHistory& history) {
    auto explanation = of_state(history);
    const auto& done = history.interventions;
    const auto last = std::find_if(done.rbegin(), done.rend(), [](const auto& one) { return one.replay; });
    if (last == done.rend()) return explanation;
    return explanation
        .say("It was " + last->was + " before " + last->by + " replayed it at " + spoken(last->at) + ": " +
             last->reason + ".")
        .with("replayedAt", last->at)
        .with("replayedBy", last->by);
}

}  // namespace domain
