#include "libcore/json/message.hpp"

namespace json {

void write(Writer& writer, const domain::Message& message) {
    writer.begin_object();
    write_members(writer, message);
    writer.end_object();
}

void write_members(Writer& writer, const domain::Message& message) {
    writer.member("id", message.id)
        .member("userId", message.user_id)
        .member("messageType", message.message_type)
        .member("deliveryDate", message.delivery_date)
        .member("timezone", message.timezone)
        .member("localTime", message.local_time)
        .member("scheduledSendTime", message.scheduled_send_time)
        .member("dueAt", message.due_at)
        .member("status", domain::to_string(message.status))
        .member("attempt", message.attempt)
        .member("failures", message.failures)
        .member("inDoubt", message.in_doubt)
        .member("civilRule", message.civil_rule)
        .member("messageContent", message.message_content)
        .member("actualSendTime", message.actual_send_time)
        .member("apiResponseCode", message.api_response_code)
        .member("errorMessage", message.error_message)
        .member("replayedFor", message.replayed_for);
}

}  // namespace json
