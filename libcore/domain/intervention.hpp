// What a person does about messages: replays what was given up, cancels what waits. Which ones, how, and what
// is shown before it is done.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "libcore/domain/message.hpp"
#include "libcore/domain/result.hpp"

namespace domain {

/// Which messages: all that fit everything that is given.
struct MessageFilter {
    std::optional<Status> status = {};
    std::optional<std::string> message_type = {};
    std::optional<Instant> from = {};  ///< the earliest planned instant
    std::optional<Instant> to = {};    ///< they come before it
    std::optional<int> response_code = {};
    std::optional<std::string> error = {};  ///< what the message's error begins with
};

/// What is refused unless it is asked for.
struct ReplayOptions {
    bool late = false;    ///< also what is later than its type allows
    bool forced = false;  ///< also what was delivered, and what is in doubt beyond the life of its key
};

/// What no index would answer, or a list, a replay or a cancel does not take; under the API's field names.
Errors list_faults(const MessageFilter& filter);
Errors replay_faults(const MessageFilter& filter, const ReplayOptions& options);
Errors cancel_faults(const MessageFilter& filter);

enum class Refusal {
    no_such_message,
    in_flight,  ///< a worker has it
    wrong_status,
    type_deleted,
    recipient_gone,  ///< deleted, or opted out
    date_gone,       ///< the recipient keeps another date now
    already_sent,
    past_deadline,
    key_expired,
};

/// Why it was not done, and the status that the message has.
struct Refused {
    Refusal refusal = Refusal::no_such_message;
    std::optional<Status> status = {};
};

/// How long ago the planned instants of some messages were; negative: to come.
struct Ages {
    std::chrono::microseconds oldest{};
    std::chrono::microseconds median{};
    std::chrono::microseconds newest{};
};

/// What a person is shown before it is done: messages that fit, and what would become of them.
struct Shown {
    Uuid id;            ///< names what was shown
    int matching = 0;   ///< at most `most_shown`
    bool more = false;  ///< there may be more than that; the oldest were looked at
    int ready = 0;      ///< would be replayed or cancelled
    int in_doubt = 0;
    int past_deadline = 0;       ///< whatever the options. Of a replay, as are those that follow
    int turn_too_late = 0;       ///< whose turn, at the rate, comes after their deadline
    int key_expired = 0;         ///< in doubt for longer than the provider knows their key
    int gone = 0;                ///< whose recipient, type or date is gone
    int cancelled = 0;           ///< what a person cancelled, and the provider may have
    std::optional<Ages> ages{};  ///< of the matching
};

inline constexpr int most_shown = 100'000;

/// How far it has come, over all calls.
struct Progress {
    int shown = 0;
    int done = 0;
    bool finished = false;
    std::optional<Instant> next_due{};  ///< of a replay: after the last one so far
};

}  // namespace domain
