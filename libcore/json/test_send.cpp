#include "libcore/json/test_send.hpp"

#include "libcore/json/writer.hpp"

namespace json {

namespace {

constexpr int most_years = 200;

}  // namespace

TestSendInput decode_test_send(const Value& body) {
    TestSendInput input;
    domain::Errors errors;
    Value::Object person;
    bool dated = false;
    if (body.object() == nullptr) {
        input.person.errors.push_back({"wrong_type", "", "must be a JSON object"});
        return input;
    }
    for (const auto& [key, value] : *body.object()) {
        if (key == "email" || key == "firstName" || key == "lastName") {
            person.push_back({key, value});
        } else if (key == "date") {
            dated = !value.is_null();
            person.push_back({"birthdayDate", value});
        } else if (key == "years" && !value.is_null()) {
            const auto years = value.integer();
            if (years && *years >= 0 && *years <= most_years) {
                input.years = static_cast<int>(*years);
            } else {
                errors.push_back({"out_of_range", key, "must be a number from 0 to 200"});
            }
        } else if (key == "late" && value.boolean() != nullptr) {
            input.late = *value.boolean();
        } else if (key == "late") {
            errors.push_back({"wrong_type", key, "must be true or false"});
        } else if (key != "years") {
            errors.push_back({"unknown_field", key, "is not a field of a test message"});
        }
    }
    if (dated && input.years) errors.push_back({"conflict", "years", "cannot be given together with date"});
    input.person = decode_user(Value(std::move(person)));
    input.person.errors.insert(input.person.errors.end(), errors.begin(), errors.end());
    return input;
}

std::string encode(const domain::TestSend& sent) {
    Writer writer;
    writer.begin_object()
        .member("id", sent.id)
        .member("messageType", sent.message_type)
        .member("email", sent.recipient_email)
        .member("status", sent.status)
        .member("messageContent", sent.message_content)
        .member("apiResponseCode", sent.api_response_code)
        .member("errorMessage", sent.error_message)
        .member("createdAt", sent.created_at)
        .member("finishedAt", sent.finished_at)
        .end_object();
    return writer.take();
}

}  // namespace json
