#include "libcore/postgres/messages_table.hpp"

#include "libcore/postgres/message_columns.hpp"
#include "libcore/postgres/transaction.hpp"

namespace postgres {

namespace {

// Bounds a call, however few of what it looks at are asked for. Of one instant all are read, to put them in
// order.
constexpr int most_looked_at = 5000;

// $1, $2: the position; $3 status, $4 type, $5 from, $6 to, $7 the page, $8 the most to look at, $9 response
// code, $10 error. The row
// after the page tells where the next begins; so does the last one looked at, unless these were all.
#define CHOOSE                                                                                               \
    " ORDER BY 1 DESC, 2 DESC LIMIT $8), "                                                                   \
    "found AS (SELECT * FROM looked_at "                                                                     \
    "          WHERE ($3::text IS NULL OR status = $3) AND ($4::text IS NULL OR message_type = $4) "         \
    "            AND ($5::timestamptz IS NULL OR scheduled_send_time >= $5) "                                \
    "            AND ($6::timestamptz IS NULL OR scheduled_send_time < $6) "                                 \
    "            AND ($9::smallint IS NULL OR api_response_code = $9) "                                      \
    "            AND ($10::text IS NULL OR starts_with(error_message, $10)) "                                \
    "          ORDER BY place DESC, id DESC LIMIT $7), "                                                     \
    "edge AS (SELECT place, id, NULL::date AS delivery_date FROM looked_at "                                 \
    "         WHERE (SELECT count(*) FROM looked_at) = $8 AND (SELECT count(*) FROM found) < $7 "            \
    "         ORDER BY place, id LIMIT 1) "                                                                  \
    "SELECT" MESSAGE_COLUMNS                                                                                 \
    ", chosen.place, chosen.id, chosen.delivery_date IS NULL "                                               \
    "FROM (SELECT place, id, delivery_date FROM found UNION ALL SELECT place, id, delivery_date FROM edge) " \
    "AS "                                                                                                    \
    "chosen "                                                                                                \
    "LEFT JOIN message_logs m ON m.id = chosen.id AND m.delivery_date = chosen.delivery_date "               \
    "ORDER BY chosen.place DESC, chosen.id DESC, chosen.delivery_date IS NULL"

constexpr Statement by_attention{"messages_by_attention",
                                 "WITH looked_at AS MATERIALIZED ("
                                 "SELECT attention_at AS place, id, delivery_date, status, message_type, "
                                 "scheduled_send_time, api_response_code, error_message FROM message_logs "
                                 "WHERE attention_at <= $1 AND (attention_at < $1 OR id < $2)" CHOOSE,
                                 Access::read};

// The date of a message is its instant's or the next to it, wherever the recipient lives.
constexpr Statement by_time{
    "messages_by_time",
    "WITH looked_at AS MATERIALIZED ("
    "SELECT scheduled_send_time AS place, id, delivery_date, status, message_type, "
    "scheduled_send_time, api_response_code, error_message FROM message_logs "
    "WHERE message_type = $4 AND scheduled_send_time >= $5 AND scheduled_send_time < $6 "
    "AND delivery_date BETWEEN ($5::timestamptz AT TIME ZONE 'UTC')::date - 2 "
    "AND ($6::timestamptz AT TIME ZONE 'UTC')::date + 2 "
    "AND scheduled_send_time <= $1 AND (scheduled_send_time < $1 OR id < $2)" CHOOSE,
    Access::read};

// Planned anew each time, as a plan made while a partition was empty takes any index for the right one; and
// in the order of the index, a group of equal instants at a time, instead of sorting all there is.
constexpr const char* by_index =
    "SET TRANSACTION READ ONLY; SET LOCAL plan_cache_mode = force_custom_plan; SET LOCAL enable_seqscan = "
    "off; "
    "SET LOCAL enable_bitmapscan = off; SET LOCAL enable_sort = off; SET LOCAL jit = off";

}  // namespace

MessagesPage list_messages(Pool& pool, const MessagesQuery& query) {
    const auto& filter = query.filter;
    const bool of_a_type = filter.message_type && filter.from && filter.to;
    std::optional<std::string_view> status;
    if (filter.status) status = domain::to_string(*filter.status);
    const std::string position = query.after ? domain::to_string(query.after->at) : "infinity";
    const auto id = query.after ? query.after->id : domain::Uuid();
    const Rows rows = transact(pool, [&](Transaction& transaction) {
        transaction.execute(by_index, "messages_by_index");
        return transaction.run(of_a_type ? by_time : by_attention, position, id, status, filter.message_type,
                               filter.from, filter.to, query.limit + 1, most_looked_at, filter.response_code,
                               filter.error);
    });
    MessagesPage page;
    for (const Row row : rows) {
        const ListPosition position_here{row.get<domain::Instant>(message_columns),
                                         row.get<domain::Uuid>(message_columns + 1)};
        const bool is_edge = row.get<bool>(message_columns + 2);
        if (is_edge) page.next = position_here;
        const bool full = page.messages.size() == static_cast<std::size_t>(query.limit);
        if (is_edge || full) return page;
        page.messages.push_back(read_message(row));
        page.next = position_here;
    }
    page.next.reset();
    return page;
}

}  // namespace postgres
