#include "tests/bench/postgres_server.hpp"

#include <algorithm>

#include "tests/bench/machine.hpp"

namespace bench {

namespace {

constexpr postgres::Statement durable_settings{"durable_settings", R"(
    SELECT 'PostgreSQL ' || current_setting('server_version') || ', ' || string_agg(name || '=' || current_setting(name), ' ')
    FROM (SELECT name, setting FROM pg_settings
          WHERE name IN ('fsync', 'synchronous_commit', 'full_page_writes', 'wal_compression', 'wal_level',
                         'wal_sync_method', 'checkpoint_timeout', 'max_wal_size', 'shared_buffers')
          ORDER BY name) AS settings)"};

constexpr postgres::Statement wal_bytes{"wal_bytes", "SELECT (pg_current_wal_insert_lsn() - '0/0')::bigint"};

constexpr postgres::Statement add_users{"add_users", R"(
    INSERT INTO users (id, first_name, last_name, email, birthday_date, timezone)
    SELECT uuid_v7(), 'Ada', 'Lovelace', 'recipient' || n || '@example.com',
           CASE WHEN n % $5::int = 0 THEN $2::date ELSE $2::date + 180 END, ($3::text[])[1 + n / $5::int % $4]
    FROM generate_series(1, $1::int * $5::int) AS n)"};

constexpr postgres::Statement add_zones{"add_zones",
                                        "INSERT INTO zones_in_use (timezone) SELECT unnest($1::text[])"};

constexpr postgres::Statement insert_others{"insert_others", R"(
    INSERT INTO message_logs (id, user_id, message_type, delivery_date, plan_version, type_version, timezone,
                              scheduled_send_time, status, created_at, updated_at)
    SELECT uuid_v7(), gen_random_uuid(), 'BIRTHDAY', day, 1, 1, 'UTC', day + time '09:00' AT TIME ZONE 'UTC',
           'SENT', now(), now()
    FROM generate_series(1, $1::int) AS n CROSS JOIN LATERAL (SELECT date '2027-03-01' + n % 14 AS day) AS days)"};

}  // namespace

postgres::Connection patient_connection(const support::TestDatabase& database) {
    auto settings = database.settings();
    settings.statement_timeout = settings.query_timeout = std::chrono::milliseconds(0);
    return postgres::Connection(settings);
}

postgres::PoolSettings service_pool(const support::TestDatabase& database) {
    postgres::PoolSettings settings{.connection = database.settings()};
    settings.connection.session = {{"enable_seqscan", "off"}, {"jit", "off"}};
    // What is measured needs all of them, and not how they come.
    settings.reserve = 0;
    settings.connects_per_second = 0;
    return settings;
}

std::string durability() {
    const support::TestDatabase database;
    return database.connection().run(durable_settings).front().get<std::string>(0);
}

void add_unplanned_users(postgres::Connection& connection, int count, const std::string& birthday,
                         const std::vector<std::string>& zones, int one_in) {
    connection.execute("ALTER TABLE users DISABLE TRIGGER plan_new_users");
    connection.run(add_users, count, birthday, zones, static_cast<int>(zones.size()), one_in);
    connection.execute("ALTER TABLE users ENABLE TRIGGER plan_new_users");
}

void use_zones(postgres::Connection& connection, const std::vector<std::string>& zones) {
    connection.run(add_zones, zones);
}

void add_other_messages(postgres::Connection& connection, int count) {
    constexpr int at_once = 1'000'000;
    for (int left = count; left > 0; left -= at_once) connection.run(insert_others, std::min(left, at_once));
}

void settle(postgres::Connection& connection) {
    connection.execute("VACUUM ANALYZE");
    connection.execute("CHECKPOINT");
}

pid_t server_process(const postgres::Connection& connection) {
    return parent_of(connection.backend_pid());
}

std::int64_t wal_position(postgres::Connection& connection) {
    return connection.run(wal_bytes).front().get<std::int64_t>(0);
}

}  // namespace bench
