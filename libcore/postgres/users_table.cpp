#include "libcore/postgres/users_table.hpp"

#include "libcore/postgres/transaction.hpp"

namespace postgres {

namespace {

#define USER_COLUMNS                                                                                \
    " id, first_name, last_name, email, timezone, birthday_date, anniversary_date, location_city, " \
    "location_country, external_id, opted_out, created_at, updated_at, deleted_at"

domain::User read_user(const Row& row) {
    return {.id = row.get<domain::Uuid>(0),
            .fields = {.first_name = row.get<std::string>(1),
                       .last_name = row.get<std::string>(2),
                       .email = row.get<std::string>(3),
                       .timezone = row.get<std::string>(4),
                       .birthday_date = row.get<std::optional<domain::Date>>(5),
                       .anniversary_date = row.get<std::optional<domain::Date>>(6),
                       .location_city = row.get<std::optional<std::string>>(7),
                       .location_country = row.get<std::optional<std::string>>(8),
                       .external_id = row.get<std::optional<std::string>>(9),
                       .opted_out = row.get<bool>(10)},
            .created_at = row.get<domain::Instant>(11),
            .updated_at = row.get<domain::Instant>(12),
            .deleted_at = row.get<std::optional<domain::Instant>>(13)};
}

/// Runs INSERT or UPDATE with the values all user writes share: $1 the id, $2 … $11 the fields.
template <class Session>
domain::User write_user(Session& session, const Statement& statement, const domain::Uuid& id,
                        const domain::UserFields& fields) {
    const auto rows =
        session.run(statement, id, fields.first_name, fields.last_name, fields.email, fields.timezone,
                    fields.birthday_date, fields.anniversary_date, fields.location_city,
                    fields.location_country, fields.external_id, fields.opted_out);
    return read_user(rows.front());
}

/// The client's name for what is already taken; anything else is thrown on.
domain::Error duplicate(const DatabaseError& error) {
    if (error.is_unique_violation("users_email"))
        return {"duplicate", "email", "is already used by another user"};
    if (error.is_unique_violation("users_external_id")) {
        return {"duplicate", "externalId", "is already used by another user"};
    }
    throw;
}

constexpr Statement insert_statement{"user_insert", R"sql(
    INSERT INTO users (id, first_name, last_name, email, timezone, birthday_date, anniversary_date, location_city,
                       location_country, external_id, opted_out)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
    RETURNING)sql" USER_COLUMNS};

constexpr Statement find_statement{
    "user_find", "SELECT" USER_COLUMNS " FROM users WHERE id = $1 AND deleted_at IS NULL", Access::read};

constexpr Statement lock_statement{
    "user_lock", "SELECT" USER_COLUMNS " FROM users WHERE id = $1 AND deleted_at IS NULL FOR NO KEY UPDATE"};

constexpr Statement update_statement{"user_update", R"sql(
    UPDATE users SET first_name = $2, last_name = $3, email = $4, timezone = $5, birthday_date = $6,
                     anniversary_date = $7, location_city = $8, location_country = $9, external_id = $10,
                     opted_out = $11
    WHERE id = $1 AND deleted_at IS NULL
    RETURNING)sql" USER_COLUMNS};

constexpr Statement delete_statement{
    "user_delete", "UPDATE users SET deleted_at = app_now() WHERE id = $1 AND deleted_at IS NULL"};

}  // namespace

domain::Result<domain::User> insert_user(Pool& pool, const domain::Uuid& id,
                                         const domain::UserFields& fields) {
    try {
        return write_user(pool, insert_statement, id, fields);
    } catch (const DatabaseError& error) {
        return duplicate(error);
    }
}

std::optional<domain::User> find_user(Pool& pool, const domain::Uuid& id) {
    const auto rows = pool.run(find_statement, id);
    if (rows.empty()) return std::nullopt;
    return read_user(rows.front());
}

std::optional<domain::Result<domain::User>> change_user(Pool& pool, const domain::Uuid& id,
                                                        const ChangeUser& change) {
    using Changed = std::optional<domain::Result<domain::User>>;
    try {
        return transact(pool, [&](Transaction& transaction) -> Changed {
            const auto rows = transaction.run(lock_statement, id);
            if (rows.empty()) return std::nullopt;
            const auto fields = change(read_user(rows.front()).fields);
            if (!fields) return fields.errors();
            return write_user(transaction, update_statement, id, *fields);
        });
    } catch (const DatabaseError& error) {
        return duplicate(error);
    }
}

bool delete_user(Pool& pool, const domain::Uuid& id) {
    return transact(pool, [&](Transaction& transaction) {
        return transaction.run(delete_statement, id).affected() == 1;
    });
}

}  // namespace postgres
