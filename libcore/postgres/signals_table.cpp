#include "libcore/postgres/signals_table.hpp"

namespace postgres {

namespace {

constexpr Statement signals{"signals", R"sql(
    SELECT z.generation, z.settled, p.reason, p.paused_by, p.since, p.until
    FROM zone_generation z LEFT JOIN delivery_pause p ON p.until IS NULL OR p.until > app_now())sql",
                            Access::read};

}  // namespace

Signals read_signals(Pool& pool) {
    const Rows rows = pool.run(signals);
    const Row row = rows.front();
    Signals read{.pause = {}, .zone_generation = row.get<int>(0), .zones_settled = row.get<bool>(1)};
    if (!row.is_null(2)) {
        read.pause = {.reason = row.get<std::string>(2),
                      .by = row.get<std::string>(3),
                      .since = row.get<domain::Instant>(4),
                      .until = row.get<std::optional<domain::Instant>>(5)};
    }
    return read;
}

}  // namespace postgres
