#include "libcore/json/schedule.hpp"

namespace json {

void write(Writer& writer, const domain::ComingMessage& message) {
    writer.begin_object()
        .member("messageType", message.message_type)
        .member("deliveryDate", message.delivery_date)
        .member("timezone", message.timezone)
        .member("localTime", message.local_time)
        .member("scheduledSendTime", message.scheduled_send_time)
        .member("utcOffset", message.utc_offset)
        .member("civilRule", message.civil_rule)
        .member("years", message.years)
        .key("planned");
    if (message.planned) {
        writer.begin_object()
            .member("id", message.planned->id)
            .member("status", domain::to_string(message.planned->status))
            .end_object();
    } else {
        writer.value(std::optional<bool>());
    }
    writer.end_object();
}

void write(Writer& writer, const domain::DueMinute& minute) {
    writer.begin_object()
        .member("minute", minute.minute)
        .member("utcOffset", minute.utc_offset)
        .member("messageType", minute.message_type)
        .member("messages", minute.messages)
        .end_object();
}

void write(Writer& writer, const domain::Hold& hold) {
    writer.begin_object()
        .member("reason", hold.reason)
        .member("messageType", hold.message_type)
        .member("until", hold.until)
        .end_object();
}

void write_totals(Writer& writer, const std::optional<std::vector<domain::DueTotal>>& totals) {
    if (!totals) {
        writer.value(std::optional<bool>());
        return;
    }
    std::int64_t all = 0;
    for (const auto& total : *totals) all += total.messages;
    writer.begin_object().member("messages", all).key("byType").begin_array();
    for (const auto& total : *totals) {
        writer.begin_object()
            .member("messageType", total.message_type)
            .member("messages", total.messages)
            .end_object();
    }
    writer.end_array().end_object();
}

}  // namespace json
