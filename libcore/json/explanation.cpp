#include "libcore/json/explanation.hpp"

#include "libcore/json/message.hpp"

namespace json {

namespace {

void write(Writer& writer, const domain::Explanation& explanation) {
    writer.begin_object().member("code", explanation.code).member("text", explanation.text);
    writer.key("facts").begin_object();
    for (const auto& fact : explanation.facts)
        std::visit([&](const auto& value) { writer.member(fact.name, value); }, fact.value);
    writer.end_object().end_object();
}

void write(Writer& writer, const std::vector<domain::TimelineEvent>& timeline) {
    writer.begin_array();
    for (const auto& event : timeline) {
        writer.begin_object().member("at", event.at).member("event", event.event).member("text", event.text);
        if (const auto& attempt = event.attempt) {
            writer.member("attempt", attempt->number)
                .member("startedAt", attempt->started_at)
                .member("outcome", attempt->outcome)
                .member("httpStatus", attempt->http_status)
                .member("error", attempt->error);
        }
        writer.end_object();
    }
    writer.end_array();
}

}  // namespace

std::string encode(const domain::MessageHistory& history) {
    Writer writer;
    writer.begin_object();
    write_members(writer, history.message);
    writer.key("timeline");
    write(writer, domain::timeline(history));
    writer.key("explanation");
    write(writer, domain::explain(history));
    writer.end_object();
    return writer.take();
}

std::string encode(const ExplainedDay& day) {
    Writer writer;
    writer.begin_object()
        .member("userId", day.user_id)
        .member("messageType", day.message_type)
        .member("deliveryDate", day.day)
        .key("explanation");
    write(writer, day.explanation);
    if (day.history != nullptr) {
        writer.key("message");
        write(writer, day.history->message);
        writer.key("timeline");
        write(writer, domain::timeline(*day.history));
    } else {
        writer.member("message", std::optional<bool>()).key("timeline").begin_array().end_array();
    }
    writer.key("otherMessages").begin_array();
    for (const auto& other : day.others) write(writer, other);
    writer.end_array().end_object();
    return writer.take();
}

}  // namespace json
