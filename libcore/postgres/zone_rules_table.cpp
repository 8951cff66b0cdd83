#include "libcore/postgres/zone_rules_table.hpp"

#include <algorithm>
#include <span>

#include "libcore/domain/uuid.hpp"
#include "libcore/postgres/transaction.hpp"

namespace postgres {

namespace {

constexpr Statement look{"look_at_zone_rules", "SELECT timezone, known FROM look_at_zone_rules()"};

constexpr Statement digest{"zone_rules_digest", "SELECT coalesce(zone_rules_digest(), '')", Access::read};

constexpr Statement unknown{"unknown_zones", R"sql(
    SELECT z.timezone
    FROM zones_in_use z JOIN zone_rules r ON r.timezone = z.timezone
    WHERE r.digest IS NULL
    ORDER BY 1)sql",
                            Access::read};

constexpr Statement count_users{"users_of_zones", R"sql(
    SELECT count(DISTINCT user_id) FROM occasions
    WHERE timezone = ANY ($1::text[]) AND date IS NOT NULL AND reachable)sql",
                                Access::read};

constexpr Statement new_generation{"new_zone_generation", "SELECT new_zone_generation($1::interval)"};

constexpr Statement take{"take_zone_generation", R"sql(
    UPDATE zone_generation SET taken_until = clock_timestamp() + $1::interval
    WHERE NOT settled AND taken_until < clock_timestamp()
    RETURNING generation)sql"};

constexpr Statement keep{"keep_zone_generation", R"sql(
    UPDATE zone_generation SET taken_until = clock_timestamp() + $1::interval)sql"};

constexpr Statement leave{"leave_zone_generation",
                          "UPDATE zone_generation SET taken_until = clock_timestamp()"};

constexpr Statement settle{"settle_zone_generation", R"sql(
    UPDATE zone_generation SET settled = true, taken_until = clock_timestamp() WHERE generation = $1)sql"};

constexpr Statement are_settled{"zones_are_settled", "SELECT settled FROM zone_generation", Access::read};

constexpr Statement old_sessions{"outdated_sessions", R"sql(
    SELECT pid, application_name FROM outdated_sessions ORDER BY application_name, pid)sql",
                                 Access::read};

constexpr Statement units{"outdated_units", R"sql(
    SELECT message_type, timezone, delivery_date, planned_instant, instant, planned_ahead, ahead, messages
    FROM outdated_units())sql",
                          Access::read};

constexpr Statement users_of_unit{"users_of_outdated_unit", R"sql(
    SELECT DISTINCT m.user_id
    FROM message_logs m JOIN message_types t ON t.name = m.message_type
    WHERE m.message_type = $1 AND m.timezone = $2 AND m.delivery_date = $3::date
      AND m.scheduled_send_time BETWEEN $4::timestamptz AND $4::timestamptz + t.spread
      AND m.scheduled_send_time = $4::timestamptz + spread_offset(m.user_id, t.spread)
      AND m.status IN ('SCHEDULED', 'QUEUED', 'RETRYING')
    ORDER BY m.user_id)sql",
                                  Access::read};

constexpr Statement replan_users{"replan_outdated",
                                 "SELECT moved, removed, inserted FROM replan($1::uuid[])"};

constexpr Statement reopen{"reopen_skipped_days", "SELECT reopen_skipped_days()"};

Replanned replan_together(Pool& pool, std::span<const domain::Uuid> users) {
    const Rows rows =
        transact(pool, [&](Transaction& transaction) { return transaction.run(replan_users, users); });
    const Row row = rows.front();
    return {.moved = row.get<int>(0), .removed = row.get<int>(1), .inserted = row.get<int>(2)};
}

Replanned replan_alone(Pool& pool, const domain::Uuid& user) {
    try {
        return replan_together(pool, std::span(&user, 1));
    } catch (const DatabaseError& error) {
        if (!error.is_data_error()) throw;
        return {.failed = 1};
    }
}

}  // namespace

Replanned& Replanned::operator+=(const Replanned& more) {
    moved += more.moved;
    removed += more.removed;
    inserted += more.inserted;
    failed += more.failed;
    return *this;
}

std::vector<ZoneChange> look_at_zone_rules(Pool& fresh) {
    std::vector<ZoneChange> changes;
    for (const Row row : fresh.run(look)) changes.push_back({row.get<std::string>(0), row.get<bool>(1)});
    return changes;
}

std::string zone_rules_digest(Pool& pool) {
    return pool.run(digest).front().get<std::string>(0);
}

UnknownZones unknown_zones(Pool& pool) {
    UnknownZones zones;
    for (const Row row : pool.run(unknown)) zones.names.push_back(row.get<std::string>(0));
    if (!zones.names.empty()) zones.users = pool.run(count_users, zones.names).front().get<int>(0);
    return zones;
}

int new_zone_generation(Pool& pool, std::chrono::milliseconds lease) {
    return pool.run(new_generation, lease).front().get<int>(0);
}

std::optional<int> take_zone_generation(Pool& pool, std::chrono::milliseconds lease) {
    const Rows rows = pool.run(take, lease);
    if (rows.empty()) return std::nullopt;
    return rows.front().get<int>(0);
}

void keep_zone_generation(Pool& pool, std::chrono::milliseconds lease) {
    pool.run(keep, lease);
}

void leave_zone_generation(Pool& pool) {
    pool.run(leave);
}

bool settle_zone_generation(Pool& pool, int generation) {
    return pool.run(settle, generation).affected() == 1;
}

bool zones_are_settled(Pool& pool) {
    return pool.run(are_settled).front().get<bool>(0);
}

std::vector<Session> outdated_sessions(Pool& pool) {
    std::vector<Session> sessions;
    for (const Row row : pool.run(old_sessions))
        sessions.push_back({row.get<int>(0), row.get<std::string>(1)});
    return sessions;
}

std::vector<OutdatedUnit> outdated_units(Pool& fresh) {
    std::vector<OutdatedUnit> outdated;
    for (const Row row : fresh.run(units)) {
        outdated.push_back({.message_type = row.get<std::string>(0),
                            .timezone = row.get<std::string>(1),
                            .delivery_date = row.get<domain::Date>(2),
                            .planned = row.get<domain::Instant>(3),
                            .instant = row.get<std::optional<domain::Instant>>(4),
                            .planned_ahead = row.get<std::chrono::microseconds>(5),
                            .ahead = row.get<std::optional<std::chrono::microseconds>>(6),
                            .messages = row.get<int>(7)});
    }
    return outdated;
}

Replanned replan_outdated(Pool& fresh, const OutdatedUnit& unit, int chunk_size,
                          const KeepReplanning& go_on) {
    // 16 bytes a user: all at once, because each chunk would read the index past all that has moved.
    std::vector<domain::Uuid> users;
    for (const Row row :
         fresh.run(users_of_unit, unit.message_type, unit.timezone, unit.delivery_date, unit.planned))
        users.push_back(row.get<domain::Uuid>(0));

    Replanned total;
    for (std::span<const domain::Uuid> left = users; !left.empty();) {
        const auto chunk = left.first(std::min(left.size(), static_cast<std::size_t>(chunk_size)));
        left = left.subspan(chunk.size());
        try {
            total += replan_together(fresh, chunk);
        } catch (const DatabaseError& error) {
            if (!error.is_data_error()) throw;
            for (const domain::Uuid& user : chunk) total += replan_alone(fresh, user);
        }
        if (!go_on(total)) break;
    }
    return total;
}

void reopen_skipped_days(Pool& fresh) {
    fresh.run(reopen);
}

}  // namespace postgres
