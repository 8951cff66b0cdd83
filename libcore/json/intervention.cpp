#include "libcore/json/intervention.hpp"

#include <algorithm>
#include <string_view>
#include <vector>

#include "libcore/domain/message_type.hpp"
#include "libcore/domain/pause.hpp"
#include "libcore/domain/text.hpp"
#include "libcore/json/writer.hpp"

namespace json {

namespace {

constexpr int most_per_minute = 60'000;
constexpr std::size_t longest_error = 200;

/// The members of a body by name; a null is as good as absent.
class Members {
public:
    Members(const Value& body, std::vector<std::string_view> known) {
        if (body.object() == nullptr) {
            errors.push_back({"wrong_type", "", "must be a JSON object"});
            return;
        }
        for (const auto& [key, value] : *body.object()) {
            if (std::ranges::find(known, key) == known.end()) {
                errors.push_back({"unknown_field", key, "is not a field of this request"});
            } else if (!value.is_null()) {
                given_.emplace_back(key, &value);
            }
        }
    }

    bool has(std::string_view name) const { return find(name) != nullptr; }

    template <class Parse>
    auto text(std::string_view name, Parse parse, const char* rule) -> decltype(parse(std::string_view())) {
        const Value* value = find(name);
        if (value == nullptr) return std::nullopt;
        if (value->string() == nullptr) {
            errors.push_back({"wrong_type", std::string(name), "must be a string"});
            return std::nullopt;
        }
        auto parsed = parse(*value->string());
        if (!parsed) errors.push_back({"invalid", std::string(name), rule});
        return parsed;
    }

    std::optional<int> number(std::string_view name, int least, int most) {
        const Value* value = find(name);
        if (value == nullptr) return std::nullopt;
        const auto number = value->integer();
        if (number && *number >= least && *number <= most) return static_cast<int>(*number);
        errors.push_back({"out_of_range", std::string(name),
                          "must be a number from " + std::to_string(least) + " to " + std::to_string(most)});
        return std::nullopt;
    }

    bool flag(std::string_view name) {
        const Value* value = find(name);
        if (value == nullptr) return false;
        if (value->boolean() != nullptr) return *value->boolean();
        errors.push_back({"wrong_type", std::string(name), "must be true or false"});
        return false;
    }

    /// Each may have one only.
    void exclude(std::string_view with, std::initializer_list<std::string_view> others) {
        for (const auto& [name, value] : given_) {
            if (name != with && std::ranges::find(others, name) == others.end())
                errors.push_back(
                    {"conflict", std::string(name), "cannot be given together with " + std::string(with)});
        }
    }

    domain::Errors errors;

private:
    const Value* find(std::string_view name) const {
        const auto found = std::ranges::find(given_, name, &std::pair<std::string_view, const Value*>::first);
        return found == given_.end() ? nullptr : found->second;
    }

    std::vector<std::pair<std::string_view, const Value*>> given_;
};

std::optional<std::string> parse_type(std::string_view text) {
    return domain::is_type_name(text) ? std::optional<std::string>(text) : std::nullopt;
}

std::optional<std::string> parse_error(std::string_view text) {
    const bool fits = !text.empty() && text.size() <= longest_error && domain::is_line(text);
    return fits ? std::optional<std::string>(text) : std::nullopt;
}

void read_reason(Members& members, InterventionInput& input) {
    const auto any = [](std::string_view text) { return std::optional<std::string>(text); };
    const auto errors_before = members.errors.size();
    const auto given = members.text("reason", any, "");
    if (members.errors.size() > errors_before) return;
    const auto reason = domain::pause_reason(given.value_or(""));
    if (!reason) return members.errors.push_back(reason.errors().front());
    input.reason = *reason;
}

void read_filter(Members& members, domain::MessageFilter& filter) {
    constexpr auto instant = "must be an instant such as 2027-03-01T12:00:00Z";
    filter.status = members.text("status", domain::parse_status, "must be a status such as FAILED");
    filter.message_type =
        members.text("messageType", parse_type, "must be a message type's name such as BIRTHDAY");
    filter.from = members.text("from", domain::parse_instant, instant);
    filter.to = members.text("to", domain::parse_instant, instant);
    filter.response_code = members.number("apiResponseCode", 100, 599);
    filter.error = members.text("error", parse_error, "must be one line of 1 to 200 bytes");
}

std::vector<std::string_view> fields_of(InterventionKind kind) {
    std::vector<std::string_view> fields{"reason"};
    const auto add = [&](std::initializer_list<std::string_view> more) { fields.insert(fields.end(), more); };
    if (kind == InterventionKind::replay_one || kind == InterventionKind::replay_many) add({"late", "force"});
    if (kind == InterventionKind::replay_many) add({"perMinute"});
    if (kind == InterventionKind::replay_many || kind == InterventionKind::cancel_many)
        add({"status", "messageType", "from", "to", "apiResponseCode", "error", "token", "count"});
    return fields;
}

std::int64_t seconds_of(std::chrono::microseconds age) {
    return std::chrono::floor<std::chrono::seconds>(age).count();
}

}  // namespace

domain::Result<InterventionInput> decode_intervention(const Value& body, InterventionKind kind) {
    Members members(body, fields_of(kind));
    InterventionInput input;
    if (members.has("token") || members.has("count")) {
        members.exclude("token", {"count"});
        input.token = members.text("token", domain::parse_uuid, "must be the token that was shown");
        input.count = members.number("count", 0, domain::most_shown).value_or(0);
        if (!members.has("token")) members.errors.push_back({"required", "token", "is required with count"});
        if (!members.has("count")) members.errors.push_back({"required", "count", "is required with token"});
    } else {
        read_reason(members, input);
        read_filter(members, input.filter);
        input.options = {.late = members.flag("late"), .forced = members.flag("force")};
        input.per_minute = members.number("perMinute", 1, most_per_minute).value_or(input.per_minute);
    }
    if (!members.errors.empty()) return std::move(members.errors);
    return input;
}

std::string encode(const domain::Shown& shown) {
    Writer writer;
    writer.begin_object()
        .member("token", shown.id)
        .member("count", shown.ready)
        .member("matching", shown.matching)
        .member("more", shown.more)
        .member("inDoubt", shown.in_doubt)
        .member("pastDeadline", shown.past_deadline)
        .member("turnTooLate", shown.turn_too_late)
        .member("keyExpired", shown.key_expired)
        .member("gone", shown.gone)
        .member("cancelled", shown.cancelled);
    const auto age = [&](std::chrono::microseconds domain::Ages::*which) {
        return shown.ages ? std::optional(seconds_of(*shown.ages.*which)) : std::nullopt;
    };
    writer.member("oldestSeconds", age(&domain::Ages::oldest))
        .member("medianSeconds", age(&domain::Ages::median))
        .member("newestSeconds", age(&domain::Ages::newest))
        .end_object();
    return writer.take();
}

std::string encode(const domain::Uuid& token, const domain::Progress& progress) {
    Writer writer;
    writer.begin_object()
        .member("token", token)
        .member("count", progress.shown)
        .member("done", progress.done)
        .member("finished", progress.finished)
        .member("nextDueAt", progress.next_due)
        .end_object();
    return writer.take();
}

}  // namespace json
