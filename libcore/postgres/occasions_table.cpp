#include "libcore/postgres/occasions_table.hpp"

#include "libcore/postgres/transaction.hpp"

namespace postgres {

namespace {

constexpr Statement list_statement{"occasions_list", R"sql(
    SELECT o.message_type, o.date, o.one_off
    FROM users u
    LEFT JOIN (user_occasions o JOIN message_types t ON t.name = o.message_type AND t.deleted_at IS NULL)
        ON o.user_id = u.id
    WHERE u.id = $1 AND u.deleted_at IS NULL
    ORDER BY o.message_type COLLATE "C", o.date)sql",
                                   Access::read};

// Before the user's dates, as everybody locks who writes either.
constexpr Statement lock_statement{
    "occasion_lock_user", "SELECT FROM users WHERE id = $1 AND deleted_at IS NULL FOR NO KEY UPDATE"};

constexpr Statement look_statement{"occasion_look", R"sql(
    SELECT t.name IS NOT NULL, coalesce(civil.instant + spread_offset(u.id, t.spread) < app_now(), false),
           EXISTS (SELECT FROM user_occasions o WHERE o.user_id = u.id AND o.message_type = t.name AND o.date = $3),
           (SELECT count(*) FROM user_occasions o WHERE o.user_id = u.id)
    FROM users u
    LEFT JOIN message_types t ON t.name = $2 AND t.deleted_at IS NULL
    LEFT JOIN LATERAL civil_time($3, t.send_at, CASE WHEN is_known_zone(u.timezone) THEN u.timezone END,
                                 t.gap_rule, t.fold_rule) AS civil ON true
    WHERE u.id = $1)sql",
                                   Access::read};

constexpr Statement insert_statement{"occasion_insert", R"sql(
    INSERT INTO user_occasions (user_id, message_type, date, one_off) VALUES ($1, $2, $3, $4))sql"};

constexpr Statement delete_statement{"occasion_delete", R"sql(
    DELETE FROM user_occasions WHERE user_id = $1 AND message_type = $2 AND date = $3
      AND EXISTS (SELECT FROM message_types t WHERE t.name = $2 AND t.deleted_at IS NULL))sql"};

bool lock_user(Transaction& transaction, const domain::Uuid& user) {
    return !transaction.run(lock_statement, user).empty();
}

domain::OccasionFacts look(Transaction& transaction, const domain::Uuid& user,
                           const domain::OccasionInput& asked) {
    const auto rows = transaction.run(look_statement, user, asked.message_type, asked.date);
    const auto row = rows.front();
    return {.type_exists = row.get<bool>(0),
            .passed = row.get<bool>(1),
            .already_there = row.get<bool>(2),
            .others = row.get<int>(3)};
}

}  // namespace

std::optional<std::vector<domain::Occasion>> occasions_of_user(Pool& pool, const domain::Uuid& user) {
    const auto rows = pool.run(list_statement, user);
    if (rows.empty()) return std::nullopt;
    std::vector<domain::Occasion> occasions;
    for (const auto row : rows) {
        if (row.is_null(0)) continue;
        occasions.push_back({row.get<std::string>(0), row.get<domain::Date>(1), row.get<bool>(2)});
    }
    return occasions;
}

std::optional<domain::Result<domain::Occasion>> insert_occasion(Pool& pool, const domain::Uuid& user,
                                                                const domain::OccasionInput& asked,
                                                                const MakeOccasion& make) {
    using Inserted = std::optional<domain::Result<domain::Occasion>>;
    const auto insert = [&](Transaction& transaction) -> Inserted {
        if (!lock_user(transaction, user)) return std::nullopt;
        const auto occasion = make(look(transaction, user, asked));
        if (occasion)
            transaction.run(insert_statement, user, occasion->message_type, occasion->date,
                            occasion->one_off);
        return occasion;
    };
    try {
        return transact(pool, insert);
    } catch (const DatabaseError& error) {
        // Its type was deleted since we looked; the next look will tell.
        if (!error.is_foreign_key_violation()) throw;
    }
    return transact(pool, insert);
}

Removed delete_occasion(Pool& pool, const domain::Uuid& user, std::string_view message_type,
                        const domain::Date& date) {
    return transact(pool, [&](Transaction& transaction) {
        if (!lock_user(transaction, user)) return Removed::no_user;
        const auto deleted = transaction.run(delete_statement, user, message_type, date).affected();
        return deleted == 1 ? Removed::occasion : Removed::no_occasion;
    });
}

}  // namespace postgres
