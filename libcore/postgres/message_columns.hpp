// How a row of message_logs becomes a message as the API shows it. For the tables beside this only.
#pragma once

#include "libcore/domain/message.hpp"
#include "libcore/postgres/rows.hpp"

// Of message_logs AS m, in the order in which read_message expects them.
#define MESSAGE_COLUMNS                                                                            \
    " m.id, m.user_id, m.message_type, m.delivery_date, m.timezone, "                              \
    "local_text(m.scheduled_send_time, m.timezone), "                                              \
    "m.scheduled_send_time, m.due_at, m.status, m.attempt, m.failures, m.in_doubt, m.civil_rule, " \
    "m.message_content, m.actual_send_time, m.api_response_code, m.error_message, "                \
    "m.replayed_for"

namespace postgres {

inline constexpr int message_columns = 18;

domain::Message read_message(const Row& row);

/// Of the text that the ledger has.
domain::Status read_status(std::string_view text);

}  // namespace postgres
