#include "libcore/json/message_type.hpp"

#include <algorithm>
#include <array>
#include <variant>

namespace json {

namespace {

using domain::MessageTypeFields;
using std::chrono::milliseconds;

using Target = std::variant<std::string MessageTypeFields::*, std::optional<std::string> MessageTypeFields::*,
                            domain::TimeOfDay MessageTypeFields::*, milliseconds MessageTypeFields::*,
                            std::optional<domain::Instant> MessageTypeFields::*>;

struct Field {
    std::string_view name;
    Target target;
};

constexpr std::array<Field, 10> fields = {{
    {"template", &MessageTypeFields::text},
    {"lateTemplate", &MessageTypeFields::late_text},
    {"sendAt", &MessageTypeFields::send_at},
    {"gapRule", &MessageTypeFields::gap_rule},
    {"foldRule", &MessageTypeFields::fold_rule},
    {"leapDay", &MessageTypeFields::leap_day},
    {"catchUp", &MessageTypeFields::catch_up},
    {"maxLateness", &MessageTypeFields::max_lateness},
    {"spread", &MessageTypeFields::spread},
    {"pausedUntil", &MessageTypeFields::paused_until},
}};

struct Fault {
    const char* code;
    const char* text;
};

constexpr Fault not_text{"wrong_type", "must be a string"};

/// Of texts in a form of their own; `read` gives nothing for any other.
template <class T, class Read>
std::optional<Fault> take(const std::string& text, T& value, Read read, Fault fault) {
    const auto parsed = read(text);
    if (!parsed) return fault;
    value = *parsed;
    return std::nullopt;
}

std::optional<Fault> take(const std::string& text, std::string& value) {
    value = text;
    return std::nullopt;
}

std::optional<Fault> take(const std::string& text, std::optional<std::string>& value) {
    value = text;
    return std::nullopt;
}

std::optional<Fault> take(const std::string& text, domain::TimeOfDay& value) {
    return take(text, value, domain::parse_time_of_day,
                {"impossible_time", "must be a time of day such as 09:00 or 18:30:15"});
}

std::optional<Fault> take(const std::string& text, milliseconds& value) {
    return take(
        text, value, domain::parse_duration,
        {"impossible_duration", "must be a number with its unit (d, h, m, s or ms), such as 48h or 15m"});
}

std::optional<Fault> take(const std::string& text, std::optional<domain::Instant>& value) {
    return take(text, value, domain::parse_instant,
                {"impossible_instant", "must be an instant such as 2027-03-01T12:00:00Z"});
}

/// Null is the default; of the template, which has none, the empty text that `domain::validated` finds.
template <class T>
std::optional<Fault> read(const Value& value, MessageTypeFields& type, T MessageTypeFields::*member) {
    if (value.is_null()) {
        type.*member = MessageTypeFields{.text = {}}.*member;
        return std::nullopt;
    }
    return value.string() == nullptr ? std::optional(not_text) : take(*value.string(), type.*member);
}

/// Every member but those that `special` takes.
template <class Special>
MessageTypeInput decode(const Value& body, MessageTypeFields base, Special special) {
    MessageTypeInput input{.name = {}, .fields = std::move(base), .errors = {}};
    if (body.object() == nullptr) {
        input.errors.push_back({"wrong_type", "", "must be a JSON object"});
        return input;
    }
    for (const auto& member : *body.object()) {
        if (special(input, member)) continue;
        const auto field =
            std::find_if(fields.begin(), fields.end(), [&](const Field& f) { return f.name == member.key; });
        if (field == fields.end()) {
            input.errors.push_back({"unknown_field", member.key, "is not a field of a message type"});
            continue;
        }
        const auto fault =
            std::visit([&](auto target) { return read(member.value, input.fields, target); }, field->target);
        if (fault) input.errors.push_back({fault->code, member.key, fault->text});
    }
    return input;
}

}  // namespace

MessageTypeInput decode_new_type(const Value& body) {
    auto input =
        decode(body, MessageTypeFields{.text = {}}, [](MessageTypeInput& read, const Member& member) {
            if (member.key != "name") return false;
            if (member.value.string() != nullptr) {
                read.name = *member.value.string();
            } else if (!member.value.is_null()) {
                read.errors.push_back({not_text.code, "name", not_text.text});
            }
            return true;
        });
    if (auto fault = domain::type_name_fault(input.name)) domain::add_once(input.errors, std::move(*fault));
    return input;
}

MessageTypeInput decode_type_change(const Value& body, MessageTypeFields base) {
    return decode(body, std::move(base), [](MessageTypeInput& read, const Member& member) {
        if (member.key != "name") return false;
        read.errors.push_back({"immutable", "name", "cannot be changed: it is part of every message's key"});
        return true;
    });
}

void write(Writer& writer, const domain::MessageType& type) {
    writer.begin_object().member("name", type.name);
    for (const auto& field : fields) {
        std::visit([&](auto member) { writer.member(field.name, type.fields.*member); }, field.target);
    }
    writer.member("replanned", type.replanned)
        .member("createdAt", type.created_at)
        .member("updatedAt", type.updated_at)
        .end_object();
}

std::string encode(const domain::MessageType& type) {
    Writer writer;
    write(writer, type);
    return writer.take();
}

}  // namespace json
