#include <algorithm>

#include "libcore/json/test_send.hpp"
#include "libcore/postgres/test_sends_table.hpp"
#include "services/api/handlers.hpp"
#include "services/api/random.hpp"

namespace api {

namespace {

/// By the rules of a user, whose birthday stands for the date.
domain::Result<domain::Sample> validated(json::TestSendInput input, const domain::Date& today) {
    auto& fields = input.person.fields;
    fields.timezone = "UTC";
    auto person = domain::validated(
        std::move(fields), [](std::string_view zone) { return std::string(zone); }, today,
        std::move(input.person.errors));
    if (!person) {
        auto errors = person.errors();
        for (auto& error : errors) {
            if (error.field == "birthdayDate") error.field = "date";
        }
        return errors;
    }
    return domain::Sample{.first_name = std::move(person->first_name),
                          .last_name = std::move(person->last_name),
                          .email = std::move(person->email),
                          .date = person->birthday_date,
                          .years = input.years.value_or(1),
                          .late = input.late};
}

}  // namespace

Answer send_test(const Call& call) {
    const auto body = read_body(call.request);
    if (const auto* problem = std::get_if<json::Problem>(&body)) return *problem;
    const auto sample =
        validated(json::decode_test_send(std::get<json::Value>(body)), call.reference.latest_today);
    if (!sample) return problem_of(sample.errors());
    const auto sent = postgres::insert_test_send(call.pool, new_uuid(), call.actor, call.name, *sample);
    if (!sent) return no_such_message_type();
    if (!*sent) {
        const auto& error = sent->errors().front();
        return json::Problem{error.code == "too_many_pending" ? 409 : 400, error.code, error.text};
    }
    return runtime::Reply{.status = 202,
                          .body = json::encode(**sent),
                          .headers = {{"Location", "/api/v1/test-sends/" + domain::to_string((*sent)->id)}}};
}

Answer get_test_send(const Call& call) {
    const auto sent = postgres::find_test_send(call.pool, call.id);
    if (!sent)
        return json::Problem{404, "not_found", "There is no such test message; they are kept for a day."};
    return runtime::Reply{.body = json::encode(*sent), .headers = {}};
}

}  // namespace api
