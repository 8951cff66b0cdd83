#include "libcore/json/occasion.hpp"

namespace json {

OccasionInput decode_occasion(const Value& body) {
    OccasionInput input;
    if (body.object() == nullptr) {
        input.errors.push_back({"wrong_type", "", "must be a JSON object"});
        return input;
    }
    for (const auto& [key, value] : *body.object()) {
        const auto* text = value.string();
        if (key == "oneOff") {
            if (value.boolean() != nullptr) {
                input.occasion.one_off = *value.boolean();
            } else {
                input.errors.push_back({"wrong_type", key, "must be true or false"});
            }
        } else if (key != "messageType" && key != "date") {
            input.errors.push_back({"unknown_field", key, "is not a field of an occasion"});
        } else if (value.is_null()) {
            continue;  // as good as absent
        } else if (text == nullptr) {
            input.errors.push_back({"wrong_type", key, "must be a string"});
        } else if (key == "messageType") {
            input.occasion.message_type = *text;
        } else if (!(input.occasion.date = domain::parse_date(*text))) {
            input.errors.push_back(
                {"impossible_date", key, "must be a date of the calendar, written YYYY-MM-DD"});
        }
    }
    return input;
}

void write(Writer& writer, const domain::Occasion& occasion) {
    writer.begin_object()
        .member("messageType", occasion.message_type)
        .member("date", occasion.date)
        .member("oneOff", occasion.one_off)
        .end_object();
}

}  // namespace json
