#include "libcore/postgres/plan_table.hpp"

#include <algorithm>
#include <exception>

#include "libcore/postgres/error.hpp"
#include "libcore/postgres/transaction.hpp"

namespace postgres {

namespace {

constexpr Statement due_units{
    "units_due", "SELECT message_type, timezone, delivery_date FROM units_due($1::interval)", Access::read};

constexpr Statement plan_chunk{"plan_chunk", "SELECT planned, finished FROM plan_chunk($1, $2, $3, $4)"};

constexpr Statement replan_users{"replan_users", "SELECT replan($1::uuid[])"};

constexpr Statement select_changed_types{"changed_types", R"sql(
    SELECT name, version, deleted_at IS NOT NULL FROM message_types
    WHERE replanned_version < version OR deleted_at IS NOT NULL
    ORDER BY name)sql",
                                         Access::read};

// What is in flight is compared when it is claimed; what comes back from there, when it is dispatched. What
// is newer has been brought in line with an edit that came meanwhile.
constexpr Statement select_outdated_users{"outdated_users", R"sql(
    SELECT DISTINCT user_id
    FROM (SELECT user_id FROM message_logs
          WHERE due_at IS NOT NULL AND message_type = $1 AND type_version < $2
          LIMIT $3) AS waiting)sql",
                                          Access::read};

constexpr Statement set_replanned{"set_replanned", R"sql(
    UPDATE message_types SET replanned_version = version WHERE name = $1 AND version = $2)sql"};

constexpr Statement remove_part_of_type{"remove_type", "SELECT remove_type($1, $2)"};

constexpr Statement make_partitions{"ensure_partitions", "SELECT ensure_partitions()"};

constexpr Statement count_partitions{"partitions_ahead", "SELECT partitions_ahead()", Access::read};

}  // namespace

std::vector<Unit> units_due(Pool& pool, std::chrono::milliseconds horizon) {
    std::vector<Unit> units;
    for (const Row row : pool.run(due_units, horizon)) {
        units.push_back({row.get<std::string>(0), row.get<std::string>(1), row.get<domain::Date>(2)});
    }
    return units;
}

void ChunkSize::learn(std::chrono::nanoseconds took) {
    // Less is not worth its transaction; more gains nothing.
    constexpr double least = 200, most = 5'000;
    constexpr std::chrono::duration<double> longest = std::chrono::milliseconds(50);
    if (fixed_) return;
    const double fitting = users_ * (longest / took);
    users_ = static_cast<int>(std::clamp(std::clamp(fitting, users_ / 2.0, users_ * 2.0), least, most));
}

int plan_unit(Pool& pool, const Unit& unit, ChunkSize& chunk_size, const KeepGoing& keep_going) {
    int planned = 0;
    for (bool finished = false; !finished;) {
        const auto begin = std::chrono::steady_clock::now();
        const int users = chunk_size.users();
        const Rows rows = transact(pool, [&](Transaction& transaction) {
            return transaction.run(plan_chunk, unit.message_type, unit.timezone, unit.delivery_date, users);
        });
        const int these = rows.front().get<int>(0);
        // A part of a chunk says little: most of its time is the transaction's.
        if (these > users / 2) chunk_size.learn((std::chrono::steady_clock::now() - begin) * users / these);
        planned += these;
        finished = rows.front().get<bool>(1);
        if (keep_going && !keep_going()) break;
    }
    return planned;
}

int plan_unit(Pool& pool, const Unit& unit, int chunk_size, const KeepGoing& keep_going) {
    ChunkSize size(chunk_size);
    return plan_unit(pool, unit, size, keep_going);
}

namespace {

void replan_together(Pool& pool, std::span<const domain::Uuid> users) {
    transact(pool, [&](Transaction& transaction) { transaction.run(replan_users, users); });
}

}  // namespace

void replan(Pool& pool, std::span<const domain::Uuid> users) {
    try {
        replan_together(pool, users);
    } catch (const DatabaseError& error) {
        if (!error.is_data_error() || users.size() <= 1) throw;
        std::exception_ptr failed;
        for (const domain::Uuid& user : users) {
            try {
                replan_together(pool, std::span(&user, 1));
            } catch (const DatabaseError& one) {
                if (!one.is_data_error()) throw;
                failed = std::current_exception();
            }
        }
        if (failed) std::rethrow_exception(failed);
    }
}

std::vector<ChangedType> changed_types(Pool& pool) {
    std::vector<ChangedType> types;
    for (const Row row : pool.run(select_changed_types)) {
        types.push_back({row.get<std::string>(0), row.get<int>(1), row.get<bool>(2)});
    }
    return types;
}

std::vector<domain::Uuid> outdated_users(Pool& pool, const ChangedType& type, int limit) {
    std::vector<domain::Uuid> users;
    for (const Row row : pool.run(select_outdated_users, type.name, type.version, limit)) {
        users.push_back(row.get<domain::Uuid>(0));
    }
    return users;
}

void note_replanned(Pool& pool, const ChangedType& type) {
    pool.run(set_replanned, type.name, type.version);
}

bool remove_type(Pool& pool, const std::string& name) {
    // Few enough that whoever waits for one of these rows does not notice.
    constexpr int dates_at_once = 2'000;
    return pool.run(remove_part_of_type, name, dates_at_once).front().get<bool>(0);
}

int ensure_partitions(Pool& pool) {
    return pool.run(make_partitions).front().get<int>(0);
}

int partitions_ahead(Pool& pool) {
    return pool.run(count_partitions).front().get<int>(0);
}

}  // namespace postgres
