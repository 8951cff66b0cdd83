// A planned message: its states, and the values the programs pass to each other about it.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>

#include "libcore/domain/time.hpp"
#include "libcore/domain/uuid.hpp"

namespace domain {

/// SCHEDULED and RETRYING wait for `due_at`; QUEUED means the broker has confirmed the hint; SENDING means a
/// worker holds the lease. SENT is final; the others need a person, a restored user, or a late answer.
enum class Status { scheduled, queued, sending, retrying, sent, failed, cancelled, missed, unknown };

/// As the ledger and the API spell it: "SCHEDULED".
std::string_view to_string(Status status);
std::optional<Status> parse_status(std::string_view text);

/// `{user_id}:{message_type}:{delivery_date}`; the database makes the same text of the row's columns.
std::string idempotency_key(const Uuid& user_id, std::string_view message_type, const Date& delivery_date);

/// The hint that goes through the queue. No personal data. `attempt` is the fence: the row's value when it
/// was dispatched, and a claim is refused when the row has moved on.
struct Delivery {
    Uuid message_id;
    Date delivery_date;
    int attempt = 0;
    std::string trace;

    friend bool operator==(const Delivery&, const Delivery&) = default;
};

/// A message as the API shows it.
struct Message {
    Uuid id;
    Uuid user_id;
    std::string message_type;
    Date delivery_date;
    std::string timezone;
    std::string local_time;  ///< the recipient's clock at `scheduled_send_time`, `YYYY-MM-DDTHH:MM:SS`
    Instant scheduled_send_time{};
    std::optional<Instant> due_at;
    Status status = Status::scheduled;
    int attempt = 0;
    int failures = 0;
    bool in_doubt = false;
    std::optional<std::string> civil_rule;
    std::optional<std::string> message_content;
    std::optional<Instant> actual_send_time;
    std::optional<int> api_response_code;
    std::optional<std::string> error_message;
    /// For when a person has replayed it; its lateness counts from then on.
    std::optional<Instant> replayed_for = {};
};

}  // namespace domain
