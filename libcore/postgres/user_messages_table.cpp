#include "libcore/postgres/user_messages_table.hpp"

#include "libcore/postgres/message_columns.hpp"
#include "libcore/postgres/pool.hpp"

namespace postgres {

namespace {

constexpr Statement select_statement{"user_messages", "SELECT" MESSAGE_COLUMNS R"sql(
    FROM message_logs m
    WHERE user_id = $1 AND ($2::text IS NULL OR status = $2)
      AND (delivery_date, id) < (coalesce($3::date, 'infinity'),
                                 coalesce($4::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff'))
    ORDER BY delivery_date DESC, id DESC
    LIMIT $5)sql",
                                     Access::read};

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
