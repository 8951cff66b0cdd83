#include "libcore/postgres/user_messages_table.hpp"

#include <stdexcept>

#include "libcore/postgres/pool.hpp"

namespace postgres {

namespace {

constexpr Statement select_statement{"user_messages", R"sql(
    SELECT id, user_id, message_type, delivery_date, timezone,
           to_char(scheduled_send_time AT TIME ZONE timezone, 'YYYY-MM-DD"T"HH24:MI:SS'), scheduled_send_time, due_at,
           status, attempt, failures, in_doubt, civil_rule, message_content, actual_send_time, api_response_code,
           error_message
    FROM message_logs
    WHERE user_id = $1 AND ($2::text IS NULL OR status = $2)
      AND (delivery_date, id) < (coalesce($3::date, 'infinity'),
                                 coalesce($4::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff'))
    ORDER BY delivery_date DESC, id DESC
    LIMIT $5)sql"};

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
            .error_message = row.get<std::optional<std::string>>(16)};
}

}  // namespace

std::vector<domain::Message> messages_of_user(Pool& pool, const UserMessagesQuery& query) {
    std::optional<std::string_view> status;
    std::optional<domain::Date> date;
    std::optional<domain::Uuid> id;
    if (query.status) status = domain::to_string(*query.status);
    if (query.after) {
        date = query.after->delivery_date;
        id = query.after->id;
    }
    std::vector<domain::Message> messages;
    for (const auto row : pool.run(select_statement, query.user_id, status, date, id, query.limit)) {
        messages.push_back(read_message(row));
    }
    return messages;
}

}  // namespace postgres
