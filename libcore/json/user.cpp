#include "libcore/json/user.hpp"

#include <algorithm>
#include <array>
#include <variant>

#include "libcore/json/writer.hpp"

namespace json {

namespace {

using domain::Date;
using domain::UserFields;

using Target = std::variant<std::string UserFields::*, std::optional<std::string> UserFields::*,
                            std::optional<Date> UserFields::*, bool UserFields::*>;

struct Field {
    std::string_view name;
    Target target;
};

constexpr std::array<Field, 10> fields = {{
    {"firstName", &UserFields::first_name},
    {"lastName", &UserFields::last_name},
    {"email", &UserFields::email},
    {"timezone", &UserFields::timezone},
    {"birthdayDate", &UserFields::birthday_date},
    {"anniversaryDate", &UserFields::anniversary_date},
    {"locationCity", &UserFields::location_city},
    {"locationCountry", &UserFields::location_country},
    {"externalId", &UserFields::external_id},
    {"optedOut", &UserFields::opted_out},
}};

struct Fault {
    const char* code;
    const char* text;
};

constexpr Fault not_text{"wrong_type", "must be a string"};
constexpr Fault not_boolean{"wrong_type", "must be true or false"};
constexpr Fault not_a_date{"impossible_date", "must be a date of the calendar, written YYYY-MM-DD"};

std::optional<Fault> read(const Value& value, std::string& text) {
    if (value.is_null()) {
        text.clear();
        return std::nullopt;
    }
    if (value.string() == nullptr) return not_text;
    text = *value.string();
    return std::nullopt;
}

std::optional<Fault> read(const Value& value, std::optional<std::string>& text) {
    text.reset();
    return value.is_null() ? std::nullopt : read(value, text.emplace());
}

std::optional<Fault> read(const Value& value, std::optional<Date>& date) {
    date.reset();
    if (value.is_null()) return std::nullopt;
    if (value.string() == nullptr) return not_text;
    date = domain::parse_date(*value.string());
    return date ? std::nullopt : std::optional(not_a_date);
}

std::optional<Fault> read(const Value& value, bool& boolean) {
    if (value.boolean() == nullptr) return not_boolean;
    boolean = *value.boolean();
    return std::nullopt;
}

}  // namespace

UserInput decode_user(const Value& body, UserFields base) {
    UserInput input{std::move(base), {}};
    const auto* members = body.object();
    if (members == nullptr) {
        input.errors.push_back({"wrong_type", "", "must be a JSON object"});
        return input;
    }
    for (const auto& member : *members) {
        const auto field =
            std::find_if(fields.begin(), fields.end(), [&](const Field& f) { return f.name == member.key; });
        if (field == fields.end()) {
            input.errors.push_back({"unknown_field", member.key, "is not a field of a user"});
            continue;
        }
        const auto fault =
            std::visit([&](auto target) { return read(member.value, input.fields.*target); }, field->target);
        if (fault) input.errors.push_back({fault->code, member.key, fault->text});
    }
    return input;
}

std::string encode(const domain::User& user) {
    Writer writer;
    writer.begin_object().member("id", user.id);
    for (const auto& field : fields) {
        std::visit([&](auto member) { writer.member(field.name, user.fields.*member); }, field.target);
    }
    writer.member("createdAt", user.created_at)
        .member("updatedAt", user.updated_at)
        .member("deletedAt", user.deleted_at)
        .end_object();
    return writer.take();
}

}  // namespace json
