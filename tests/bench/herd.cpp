#include "tests/bench/herd.hpp"

#include <stdexcept>

#include "libcore/postgres/plan_table.hpp"
#include "tests/bench/postgres_server.hpp"
#include "tests/support/eventually.hpp"

namespace bench {

namespace {

using namespace std::chrono_literals;

constexpr postgres::Statement count_unsent{"count_unsent", R"(
    SELECT count(*) FROM message_logs WHERE delivery_date = '2027-03-15' AND status <> 'SENT')"};

constexpr postgres::Statement measure_lateness{"measure_lateness", R"(
    SELECT coalesce(percentile_disc(0.5) WITHIN GROUP (ORDER BY late), 0),
           coalesce(percentile_disc(0.99) WITHIN GROUP (ORDER BY late), 0), coalesce(max(late), 0)
    FROM (SELECT extract(epoch FROM actual_send_time - scheduled_send_time)::float8 AS late
          FROM message_logs WHERE delivery_date = '2027-03-15' AND status = 'SENT') AS sent)"};

constexpr postgres::Statement count_others{"count_others", R"(
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid())"};

constexpr postgres::Statement count_updates{"count_updates", R"(
    SELECT sum(n_tup_upd)::float8, sum(n_tup_hot_upd)::float8
    FROM pg_stat_user_tables WHERE relname LIKE 'message\_logs\_%')"};

constexpr postgres::Statement count_batches{
    "count_batches", "SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM dispatches_id_seq"};

}  // namespace

Herd::Herd(int messages) : connection_(patient_connection(database_)) {
    connection_.execute("SELECT set_clock('2027-03-15T08:59:00Z', 0)");
    add_unplanned_users(connection_, messages, "1990-03-15", {"UTC"});
    use_zones(connection_, {"UTC"});
    postgres::Pool pool(service_pool(database_));
    int planned = 0;
    for (const postgres::Unit& unit : postgres::units_due(pool, 26h))
        planned += postgres::plan_unit(pool, unit, 10'000);
    if (planned != messages) throw std::runtime_error("not everybody was planned for");
    settle(connection_);
}

void Herd::release() {
    connection_.execute("SELECT set_clock('2027-03-15T09:00:00Z', 1)");
}

int Herd::unsent() {
    return connection_.run(count_unsent).front().get<int>(0);
}

Herd::Lateness Herd::lateness() {
    const auto rows = connection_.run(measure_lateness);
    const auto row = rows.front();
    return {row.get<double>(0), row.get<double>(1), row.get<double>(2)};
}

int Herd::batches() {
    return connection_.run(count_batches).front().get<int>(0);
}

Herd::Updates Herd::updates() {
    support::eventually([&] { return connection_.run(count_others).front().get<int>(0) == 0; });
    const auto rows = connection_.run(count_updates);
    return {rows.front().get<double>(0), rows.front().get<double>(1)};
}

}  // namespace bench
