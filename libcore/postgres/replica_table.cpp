#include "libcore/postgres/replica_table.hpp"

#include <stdexcept>

#include "libcore/postgres/pool.hpp"

namespace postgres {

namespace {

constexpr Statement select_place{"log_place", R"sql(
    SELECT system_identifier::text, pg_is_in_recovery(),
           CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_flush_lsn() END::text
    FROM pg_control_system())sql",
                                 Access::read};

constexpr Statement select_end{"log_end", "SELECT pg_current_wal_insert_lsn()::text", Access::read};

LogPosition read_position(std::string_view text) {
    const auto position = parse_log_position(text);
    if (!position) throw std::logic_error("a position in the log is written otherwise");
    return *position;
}

/// Where the next change will begin, less the head of a page that has nothing else yet: what has replayed
/// all there is has come to the page's beginning.
LogPosition end_before(LogPosition next) {
    constexpr std::uint64_t page = 8192, head = 24, head_of_segment = 40;
    const auto offset = next.bytes % page;
    return offset == head || offset == head_of_segment ? LogPosition{next.bytes - offset} : next;
}

}  // namespace

LogPlace log_place(Connection& connection) {
    const Rows rows = connection.run(select_place);
    const Row row = rows.front();
    LogPlace place{.system = row.get<std::string>(0), .in_recovery = row.get<bool>(1), .position = {}};
    if (const auto text = row.get<std::optional<std::string>>(2)) place.position = read_position(*text);
    return place;
}

LogPosition log_end(Pool& primary) {
    return end_before(read_position(primary.run(select_end).front().get<std::string>(0)));
}

}  // namespace postgres
