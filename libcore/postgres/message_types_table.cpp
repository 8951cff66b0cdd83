#include "libcore/postgres/message_types_table.hpp"

#include "libcore/postgres/transaction.hpp"

namespace postgres {

namespace {

using domain::MessageTypeFields;
using std::chrono::milliseconds;

// The planner visits every type in every zone.
constexpr int most_types = 100;

#define MILLISECONDS(column) " (extract(epoch FROM " column ") * 1000)::bigint"
#define TYPE_COLUMNS \
    " name, template, late_template, extract(epoch FROM send_at)::integer, gap_rule, fold_rule, " \
    "leap_day," \
    MILLISECONDS("catch_up") "," MILLISECONDS("max_lateness") "," MILLISECONDS("spread") ", paused_until, " \
    "replanned_version = version, created_at, updated_at"

domain::MessageType read_type(const Row& row) {
    const auto duration = [&](int column) { return milliseconds(row.get<std::int64_t>(column)); };
    return {.name = row.get<std::string>(0),
            .fields = {.text = row.get<std::string>(1),
                       .late_text = row.get<std::optional<std::string>>(2),
                       .send_at = {std::chrono::seconds(row.get<int>(3))},
                       .gap_rule = row.get<std::string>(4),
                       .fold_rule = row.get<std::string>(5),
                       .leap_day = row.get<std::string>(6),
                       .catch_up = duration(7),
                       .max_lateness = duration(8),
                       .spread = duration(9),
                       .paused_until = row.get<std::optional<domain::Instant>>(10)},
            .replanned = row.get<bool>(11),
            .created_at = row.get<domain::Instant>(12),
            .updated_at = row.get<domain::Instant>(13)};
}

constexpr Statement after_statement{
    "message_types_after",
    "SELECT" TYPE_COLUMNS
    " FROM message_types WHERE name > $1 COLLATE \"C\" AND deleted_at IS NULL "
    "ORDER BY name COLLATE \"C\"",
    Access::read};

constexpr Statement find_statement{
    "message_type_find", "SELECT" TYPE_COLUMNS " FROM message_types WHERE name = $1 AND deleted_at IS NULL",
    Access::read};

// One at a time adds a type, so that counting them means something.
constexpr Statement queue_statement{"message_type_queue", R"sql(
    SELECT app_now() FROM pg_advisory_xact_lock(hashtextextended('message type added', 0)))sql"};

constexpr Statement look_statement{"message_type_look", R"sql(
    SELECT count(*), count(*) FILTER (WHERE name = $1), count(*) FILTER (WHERE name = $1 AND deleted_at IS NOT NULL)
    FROM message_types)sql",
                                   Access::read};

constexpr Statement insert_statement{"message_type_insert", R"sql(
    WITH made AS (
        INSERT INTO message_types (name, template, late_template, send_at, gap_rule, fold_rule, leap_day, catch_up,
                                   max_lateness, spread, paused_until)
        VALUES ($2, $3, $4, $5::text::time, $6, $7, $8, $9, $10, $11, $12)
        RETURNING *
    ), noted AS (
        INSERT INTO audit_log (actor, action, subject, detail)
        SELECT $1, 'message type added', 'message_type ' || name, to_jsonb(made) FROM made
    )
    SELECT)sql" TYPE_COLUMNS " FROM made"};

constexpr Statement lock_statement{"message_type_lock", "SELECT" TYPE_COLUMNS
                                                        ", app_now() FROM message_types "
                                                        "WHERE name = $1 AND deleted_at IS NULL "
                                                        "FOR NO KEY UPDATE"};

#define NOTE_CHANGE                                                                              \
    " noted AS (INSERT INTO audit_log (actor, action, subject, detail) "                         \
    "SELECT $1, 'message type changed', 'message_type ' || name, changed_members(content, "      \
    "to_jsonb(changed) - '{updated_at, version, rules_changed_at, replanned_version}'::text[]) " \
    "FROM changed, old) SELECT" TYPE_COLUMNS " FROM changed"

constexpr Statement update_texts_statement{"message_type_update_texts", R"sql(
    WITH old AS (SELECT to_jsonb(t) AS content FROM message_types t WHERE name = $2),
    changed AS (
        UPDATE message_types SET template = $3, late_template = $4, catch_up = unless_equal(catch_up, $5),
               max_lateness = unless_equal(max_lateness, $6), paused_until = $7
        WHERE name = $2
        RETURNING *
    ),)sql" NOTE_CHANGE};

// Apart from the other, because whoever names the rules waits until nobody plans by the old ones any longer.
constexpr Statement update_rules_statement{"message_type_update_rules", R"sql(
    WITH old AS (SELECT to_jsonb(t) AS content FROM message_types t WHERE name = $2),
    changed AS (
        UPDATE message_types SET template = $3, late_template = $4, catch_up = unless_equal(catch_up, $5),
               max_lateness = unless_equal(max_lateness, $6), paused_until = $7, send_at = $8::text::time,
               gap_rule = $9, fold_rule = $10, leap_day = $11, spread = unless_equal(spread, $12)
        WHERE name = $2
        RETURNING *
    ),)sql" NOTE_CHANGE};

// A change of a user may reach back into months whose partitions nobody has needed before.
constexpr Statement partitions_statement{"message_type_partitions", "SELECT ensure_partitions()"};

constexpr Statement delete_statement{"message_type_delete", R"sql(
    WITH deleted AS (
        UPDATE message_types SET deleted_at = app_now() WHERE name = $2 AND deleted_at IS NULL RETURNING *
    ), noted AS (
        INSERT INTO audit_log (actor, action, subject, detail)
        SELECT $1, 'message type deleted', 'message_type ' || name, to_jsonb(deleted) FROM deleted
    )
    SELECT FROM deleted)sql"};

domain::Error taken(bool being_removed) {
    if (being_removed) {
        return {"being_removed", "name",
                "is the name of a type that is still being removed; try again in a while"};
    }
    return {"duplicate", "name", "is the name of another message type"};
}

std::optional<domain::Error> obstacle(Transaction& transaction, std::string_view name) {
    const auto rows = transaction.run(look_statement, name);
    const auto row = rows.front();
    if (row.get<int>(1) > 0) return taken(row.get<int>(2) > 0);
    if (row.get<int>(0) < most_types) return std::nullopt;
    return domain::Error{
        "too_many", "",
        "There are " + std::to_string(most_types) + " message types already, the most there may be."};
}

Rows write(Transaction& transaction, std::string_view actor, std::string_view name,
           const MessageTypeFields& present, const MessageTypeFields& fields) {
    if (domain::same_rules(present, fields)) {
        return transaction.run(update_texts_statement, actor, name, fields.text, fields.late_text,
                               fields.catch_up, fields.max_lateness, fields.paused_until);
    }
    return transaction.run(update_rules_statement, actor, name, fields.text, fields.late_text,
                           fields.catch_up, fields.max_lateness, fields.paused_until,
                           domain::to_string(fields.send_at), fields.gap_rule, fields.fold_rule,
                           fields.leap_day, fields.spread);
}

}  // namespace

std::vector<domain::MessageType> message_types_after(Pool& pool, std::string_view name) {
    std::vector<domain::MessageType> types;
    const auto rows = pool.run(after_statement, name);
    for (const auto row : rows) types.push_back(read_type(row));
    return types;
}

std::optional<domain::MessageType> find_message_type(Pool& pool, std::string_view name) {
    const auto rows = pool.run(find_statement, name);
    if (rows.empty()) return std::nullopt;
    return read_type(rows.front());
}

domain::Result<domain::MessageType> insert_message_type(Pool& pool, std::string_view actor,
                                                        std::string_view name, const MakeType& make) {
    using Inserted = domain::Result<domain::MessageType>;
    try {
        return transact(pool, [&](Transaction& transaction) -> Inserted {
            const auto now = transaction.run(queue_statement).front().get<domain::Instant>(0);
            const auto in_the_way = obstacle(transaction, name);
            const auto fields = make(now);
            if (!fields) return fields.errors();
            if (in_the_way) return *in_the_way;
            const auto rows = transaction.run(insert_statement, actor, name, fields->text, fields->late_text,
                                              domain::to_string(fields->send_at), fields->gap_rule,
                                              fields->fold_rule, fields->leap_day, fields->catch_up,
                                              fields->max_lateness, fields->spread, fields->paused_until);
            if (fields->catch_up > MessageTypeFields{.text = {}}.catch_up)
                transaction.run(partitions_statement);
            return read_type(rows.front());
        });
    } catch (const DatabaseError& error) {
        // Somebody who adds types past the queue.
        if (!error.is_unique_violation("message_types_pkey")) throw;
        return taken(false);
    }
}

std::optional<domain::Result<domain::MessageType>> change_message_type(Pool& pool, std::string_view actor,
                                                                       std::string_view name,
                                                                       const ChangeType& change) {
    using Changed = std::optional<domain::Result<domain::MessageType>>;
    return transact(pool, [&](Transaction& transaction) -> Changed {
        const auto locked = transaction.run(lock_statement, name);
        if (locked.empty()) return std::nullopt;
        auto present = read_type(locked.front());
        const auto fields = change(present.fields, locked.front().get<domain::Instant>(14));
        if (!fields) return fields.errors();
        if (*fields == present.fields) return present;
        const auto rows = write(transaction, actor, name, present.fields, *fields);
        if (fields->catch_up > present.fields.catch_up) transaction.run(partitions_statement);
        return read_type(rows.front());
    });
}

bool delete_message_type(Pool& pool, std::string_view actor, std::string_view name) {
    return transact(pool, [&](Transaction& transaction) {
        // The row before the rules, as a change takes them.
        if (transaction.run(lock_statement, name).empty()) return false;
        return !transaction.run(delete_statement, actor, name).empty();
    });
}

}  // namespace postgres
