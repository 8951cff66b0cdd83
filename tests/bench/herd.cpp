#include "tests/bench/herd.hpp"

#include <stdexcept>
#include <thread>

#include "libcore/postgres/plan_table.hpp"
#include "tests/bench/postgres_server.hpp"
#include "tests/support/eventually.hpp"

namespace bench {

namespace {

using namespace std::chrono_literals;

constexpr postgres::Statement count_unsent{"count_unsent", R"(
    SELECT count(*) FROM message_logs WHERE delivery_date = '2027-03-15' AND status <> 'SENT')"};

constexpr postgres::Statement none_unsent{"none_unsent", R"(
    SELECT NOT EXISTS (SELECT FROM message_logs WHERE delivery_date = '2027-03-15' AND status <> 'SENT'))"};

// One after the other: each transaction of the services then finds what has become due since the last.
constexpr postgres::Statement draw_apart{"draw_apart", R"(
    UPDATE message_logs m SET scheduled_send_time = scheduled_send_time + place.n * $1::interval,
                              due_at = due_at + place.n * $1::interval
    FROM (SELECT id, row_number() OVER (ORDER BY id) - 1 AS n FROM message_logs
          WHERE delivery_date = '2027-03-15') AS place
    WHERE m.id = place.id AND m.delivery_date = '2027-03-15')"};

// set_clock() would have everything planned once more, beside what is measured.
constexpr const char* let_clock_go =
    "UPDATE app_clock SET base = '2027-03-15T08:59:59Z', started_at = clock_timestamp(), factor = 1";

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

Herd::Herd(const Due& due) : due_(due), connection_(patient_connection(database_)) {
    connection_.execute("SELECT set_clock('2027-03-15T08:59:00Z', 0)");
    add_unplanned_users(connection_, due.messages, "1990-03-15", {"UTC"});
    use_zones(connection_, {"UTC"});
    postgres::Pool pool(service_pool(database_));
    int planned = 0;
    for (const postgres::Unit& unit : postgres::units_due(pool, 26h))
        planned += postgres::plan_unit(pool, unit, 10'000);
    if (planned != due.messages) throw std::runtime_error("not everybody was planned for");
    if (due.apart > 0us) connection_.run(draw_apart, due.apart);
    settle(connection_);
}

void Herd::release() {
    const auto due = std::chrono::steady_clock::now() + 1s;
    connection_.execute(let_clock_go);
    std::this_thread::sleep_until(due);
}

bool Herd::all_sent() {
    return connection_.run(none_unsent).front().get<bool>(0);
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
    const int drawn_apart = due_.apart > 0us ? due_.messages : 0;
    return {rows.front().get<double>(0) - drawn_apart, rows.front().get<double>(1)};
}

}  // namespace bench
