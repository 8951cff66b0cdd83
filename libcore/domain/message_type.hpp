// A message type as the API knows one, and the rules it must meet.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "libcore/domain/result.hpp"
#include "libcore/domain/time.hpp"

namespace domain {

/// What a client may set, the name apart. Texts are UTF-8.
struct MessageTypeFields {
    std::string text;                           ///< with placeholders
    std::optional<std::string> late_text = {};  ///< for after the recipient's day
    TimeOfDay send_at{std::chrono::hours(9)};
    std::string gap_rule = "shift_forward";
    std::string fold_rule = "first";
    std::string leap_day = "feb28";
    std::chrono::milliseconds catch_up = std::chrono::days(10);
    std::chrono::milliseconds max_lateness = std::chrono::hours(48);
    std::chrono::milliseconds spread{};
    std::optional<Instant> paused_until = {};

    friend bool operator==(const MessageTypeFields&, const MessageTypeFields&) = default;
};

struct MessageType {
    std::string name;
    MessageTypeFields fields;
    bool replanned = true;  ///< false while messages planned by earlier rules are still being moved
    Instant created_at{};
    Instant updated_at{};
};

/// A capital letter, then up to 39 capital letters, digits and underscores.
bool is_type_name(std::string_view text);
std::optional<Error> type_name_fault(std::string_view name);

/// The field of a user where the date of a built-in type stands; nothing for the other types.
std::optional<std::string_view> user_field_of(std::string_view type);

/// Whether one differs from the other in what decides when a message is sent.
bool same_rules(const MessageTypeFields& one, const MessageTypeFields& other);

/// The fields, or every rule they break, under the API's field names (`sendAt`). `now` is the ledger's; a
/// pause that stood there `before` may have passed, another must not. `found` is what reading the input has
/// already found wrong: those fields are not judged again, and all errors come back together.
Result<MessageTypeFields> validated(MessageTypeFields fields, Instant now,
                                    const std::optional<Instant>& before = {}, Errors found = {});

}  // namespace domain
