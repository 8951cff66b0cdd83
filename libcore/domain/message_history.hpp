// What the ledger holds about one message: its timeline, and why it was or was not sent. Pure.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "libcore/domain/explanation.hpp"
#include "libcore/domain/message.hpp"

namespace domain {

/// One row of delivery_attempts. A success at the first attempt has none.
struct AttemptRecord {
    int number = 0;
    Instant started_at{};
    Instant finished_at{};
    std::string outcome;
    std::optional<int> http_status;
    std::optional<std::string> error;
};

/// A time in which nothing, or nothing of the message's type, was to be sent.
struct PauseSpan {
    bool everything = false;  ///< else only the type
    Instant since{};
    std::optional<Instant> until;  ///< nothing: until somebody resumes
    std::string by;
    std::string reason;
};

/// A message of the same key that was removed before.
struct Removal {
    Instant at{};
    std::optional<Instant> scheduled_send_time;
};

/// What a person did about it.
struct InterventionRecord {
    Instant at{};
    bool replay = false;  ///< else a cancel
    std::string by;
    std::string reason;
    std::string was;  ///< the status before
};

/// All instants are the ledger's clock's.
struct MessageHistory {
    Message message;
    Instant now{};
    Instant planned_at{};
    Instant changed_at{};
    std::optional<Instant> attention_at;
    std::optional<Instant> lease_until;
    int rescues = 0;
    std::optional<std::string> response_body;
    bool after_the_day = false;                             ///< sent when the recipient's date had passed
    bool outdated = false;                                  ///< planned for the user or the type as they were
    std::optional<std::chrono::microseconds> max_lateness;  ///< nothing: the type is gone
    std::optional<Instant> type_paused_until;
    bool everything_paused = false;
    std::optional<Instant> everything_paused_until;
    std::optional<Instant> user_changed_at;        ///< the last change that may move a message
    std::optional<Instant> type_rules_changed_at;  ///< likewise; nothing: the type is gone
    std::vector<AttemptRecord> attempts;           ///< the newest ones, in order
    int earlier_attempts = 0;                      ///< recorded ones that are not among them
    std::vector<PauseSpan> holds;  ///< that touch the time from the message's instant on, in order
    std::vector<Removal> removals;
    std::vector<InterventionRecord> interventions;  ///< the newest ones, in order
};

struct TimelineEvent {
    std::optional<Instant> at;  ///< nothing: the place in the order is known, and the time is not
    std::string event;          ///< stable: "planned"
    std::string text;
    std::optional<AttemptRecord> attempt = {};
};

/// In the order of time.
std::vector<TimelineEvent> timeline(const MessageHistory& history);

Explanation explain(const MessageHistory& history);

}  // namespace domain
