#include "libcore/postgres/plan_table.hpp"

#include <optional>

#include "libcore/domain/uuid.hpp"
#include "libcore/postgres/transaction.hpp"

namespace postgres {

namespace {

constexpr Statement due_units{"units_due",
                              "SELECT message_type, timezone, delivery_date FROM units_due($1::interval)"};

constexpr Statement plan_chunk{
    "plan_chunk", "SELECT planned, kept, after, finished FROM plan_chunk($1, $2, $3, $4, $5, $6, $7)"};

constexpr Statement make_partitions{"ensure_partitions", "SELECT ensure_partitions()"};

constexpr Statement count_partitions{"partitions_ahead", "SELECT partitions_ahead()"};

}  // namespace

std::vector<Unit> units_due(Pool& pool, std::chrono::milliseconds horizon) {
    std::vector<Unit> units;
    for (const Row row : pool.run(due_units, horizon)) {
        units.push_back({row.get<std::string>(0), row.get<std::string>(1), row.get<domain::Date>(2)});
    }
    return units;
}

int plan_unit(Pool& pool, const Unit& unit, int chunk_size, const KeepGoing& keep_going) {
    int planned = 0;
    std::optional<int> kept;
    std::optional<domain::Uuid> after;
    for (bool finished = false; !finished;) {
        const Rows rows = transact(pool, [&](Transaction& transaction) {
            return transaction.run(plan_chunk, unit.message_type, unit.timezone, unit.delivery_date,
                                   chunk_size, planned, kept, after);
        });
        const Row row = rows.front();
        planned += row.get<int>(0);
        kept = row.get<std::optional<int>>(1);
        after = row.get<std::optional<domain::Uuid>>(2);
        finished = row.get<bool>(3);
        if (keep_going && !keep_going()) break;
    }
    return planned;
}

int ensure_partitions(Pool& pool) {
    return pool.run(make_partitions).front().get<int>(0);
}

int partitions_ahead(Pool& pool) {
    return pool.run(count_partitions).front().get<int>(0);
}

}  // namespace postgres
