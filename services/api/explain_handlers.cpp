#include "libcore/domain/message_type.hpp"
#include "libcore/json/explanation.hpp"
#include "libcore/postgres/explain_table.hpp"
#include "services/api/handlers.hpp"

namespace api {

namespace {

bool is_day(std::string_view text) {
    const auto day = domain::parse_date(text);
    return day && day->year() >= std::chrono::year(1900) && day->year() <= std::chrono::year(2200);
}

}  // namespace

const std::array<Parameter, 2> explain_day_parameters = {{
    {"type", domain::is_type_name, "must be a message type's name such as BIRTHDAY"},
    {"date", is_day, "must be a date such as 2027-03-01, from 1900 to 2200"},
}};

Answer get_message(const Call& call) {
    const auto history = postgres::message_history(call.pool, call.id);
    if (!history) return json::Problem{404, "not_found", "There is no such message."};
    return runtime::Reply{.body = json::encode(*history), .headers = {}};
}

Answer explain_day(const Call& call) {
    const auto type = call.query.value("type");
    const auto date = call.query.value("date");
    domain::Errors missing;
    if (!type) missing.push_back({"required", "type", "is required"});
    if (!date) missing.push_back({"required", "date", "is required"});
    if (!missing.empty()) return problem_of(std::move(missing));

    const auto day = *domain::parse_date(*date);
    auto history = postgres::day_history(call.pool, call.id, *type, day);
    if (!history) return no_such_user();
    // They point the way; each may have a long text.
    for (auto& other : history->others) other.message_content.reset();
    const auto* message = history->message ? &*history->message : nullptr;
    const auto explanation = message != nullptr ? domain::explain(*message) : domain::explain(history->facts);
    return runtime::Reply{
        .body = json::encode(json::ExplainedDay{call.id, *type, day, explanation, message, history->others}),
        .headers = {}};
}

}  // namespace api
