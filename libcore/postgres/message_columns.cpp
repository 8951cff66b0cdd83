#include "libcore/postgres/message_columns.hpp"

#include <stdexcept>

namespace postgres {

domain::Status read_status(std::string_view text) {
    const auto status = domain::parse_status(text);
    if (!status) throw std::logic_error("message_logs holds an unknown status");
    return *status;
}

domain::Message read_message(const Row& row) {
    return {.id = row.get<domain::Uuid>(0),
            .user_id = row.get<domain::Uuid>(1),
            .message_type = row.get<std::string>(2),
            .delivery_date = row.get<domain::Date>(3),
            .timezone = row.get<std::string>(4),
            .local_time = row.get<std::string>(5),
            .scheduled_send_time = row.get<domain::Instant>(6),
            .due_at = row.get<std::optional<domain::Instant>>(7),
            .status = read_status(row.get<std::string_view>(8)),
            .attempt = row.get<int>(9),
            .failures = row.get<int>(10),
            .in_doubt = row.get<bool>(11),
            .civil_rule = row.get<std::optional<std::string>>(12),
            .message_content = row.get<std::optional<std::string>>(13),
            .actual_send_time = row.get<std::optional<domain::Instant>>(14),
            .api_response_code = row.get<std::optional<int>>(15),
            .error_message = row.get<std::optional<std::string>>(16),
            .replayed_for = row.get<std::optional<domain::Instant>>(17)};
}

}  // namespace postgres
