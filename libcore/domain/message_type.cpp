#include "libcore/domain/message_type.hpp"

#include <algorithm>
#include <initializer_list>

#include "libcore/domain/template.hpp"

namespace domain {

namespace {

using std::chrono::milliseconds;

constexpr std::size_t longest_type_name = 40;

void choose(Errors& errors, const char* field, std::string_view value,
            std::initializer_list<std::string_view> choices) {
    if (std::find(choices.begin(), choices.end(), value) != choices.end()) return;
    std::string list;
    for (const auto choice : choices) list.append(list.empty() ? "" : ", ").append(choice);
    add_once(errors, {"unknown_value", field, "must be one of " + list});
}

void bound(Errors& errors, const char* field, milliseconds value, milliseconds least, milliseconds most) {
    if (value >= least && value <= most) return;
    add_once(errors, {"out_of_range", field, "must be from " + to_string(least) + " to " + to_string(most)});
}

}  // namespace

bool is_type_name(std::string_view text) {
    const auto may_follow = [](char c) {
        return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
    };
    return !text.empty() && text.size() <= longest_type_name && text.front() >= 'A' && text.front() <= 'Z' &&
           std::all_of(text.begin(), text.end(), may_follow);
}

std::optional<Error> type_name_fault(std::string_view name) {
    if (name.empty()) return Error{"required", "name", "is required"};
    if (is_type_name(name)) return std::nullopt;
    return Error{
        "invalid_name", "name",
        "must be a capital letter and up to 39 capital letters, digits and underscores, such as NAME_DAY"};
}

std::optional<std::string_view> user_field_of(std::string_view type) {
    if (type == "BIRTHDAY") return "birthdayDate";
    if (type == "ANNIVERSARY") return "anniversaryDate";
    return std::nullopt;
}

bool same_rules(const MessageTypeFields& one, const MessageTypeFields& other) {
    return one.send_at == other.send_at && one.gap_rule == other.gap_rule &&
           one.fold_rule == other.fold_rule && one.leap_day == other.leap_day && one.spread == other.spread;
}

Result<MessageTypeFields> validated(MessageTypeFields fields, Instant now,
                                    const std::optional<Instant>& before, Errors found) {
    using std::chrono::days, std::chrono::hours, std::chrono::minutes;
    Errors errors = std::move(found);
    if (auto fault = template_fault("template", fields.text)) add_once(errors, std::move(*fault));
    if (fields.late_text && fields.late_text->empty()) fields.late_text.reset();
    if (fields.late_text) {
        if (auto fault = template_fault("lateTemplate", *fields.late_text))
            add_once(errors, std::move(*fault));
    }
    choose(errors, "gapRule", fields.gap_rule, {"shift_forward", "before_gap", "skip"});
    choose(errors, "foldRule", fields.fold_rule, {"first", "second"});
    choose(errors, "leapDay", fields.leap_day, {"feb28", "mar1", "skip"});
    // As the ledger's constraints.
    bound(errors, "catchUp", fields.catch_up, milliseconds(0), days(60));
    bound(errors, "maxLateness", fields.max_lateness, minutes(1), days(60));
    bound(errors, "spread", fields.spread, milliseconds(0), hours(12));
    if (fields.paused_until && fields.paused_until != before && *fields.paused_until <= now)
        add_once(errors, {"in_the_past", "pausedUntil", "must lie in the future; null ends the pause"});
    // No message may wait for longer than the longest lateness.
    if (fields.paused_until && fields.paused_until != before && *fields.paused_until > now + days(60))
        add_once(errors, {"out_of_range", "pausedUntil", "must not be more than 60 days ahead"});
    if (!errors.empty()) return errors;
    return fields;
}

}  // namespace domain
