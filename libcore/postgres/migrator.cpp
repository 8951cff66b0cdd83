#include "libcore/postgres/migrator.hpp"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <map>

#include "libcore/postgres/pool.hpp"
#include "libcore/postgres/transaction.hpp"

namespace postgres {

namespace {

constexpr Statement take_turns{"lock_migrations", "SELECT pg_advisory_lock(hashtext('schema_migrations'))"};
constexpr Statement table_exists{"schema_migrations_exists",
                                 "SELECT to_regclass('schema_migrations') IS NOT NULL", Access::read};
constexpr Statement list_applied{
    "list_migrations", "SELECT version, name, checksum, applied_at FROM schema_migrations ORDER BY version",
    Access::read};
constexpr Statement record{"record_migration",
                           "INSERT INTO schema_migrations (version, name, checksum, min_compatible) "
                           "VALUES ($1, $2, $3, $4)"};
constexpr Statement schema_version{
    "schema_version",
    "SELECT coalesce(max(version), 0), coalesce(max(min_compatible), 0) FROM schema_migrations",
    Access::read};

constexpr auto create_table = R"(
    CREATE TABLE IF NOT EXISTS schema_migrations (
        version int PRIMARY KEY,
        name text NOT NULL,
        checksum text NOT NULL,
        min_compatible int NOT NULL,
        applied_at timestamptz NOT NULL DEFAULT clock_timestamp()
    ))";

struct Applied {
    std::string name;
    std::string checksum;
    domain::Instant applied_at;
};

/// A migration may take its time, but waits for another session's lock no longer than users can bear: whoever
/// asks for that table after it waits behind it.
constexpr auto limit_lock_wait = "SET LOCAL lock_timeout = '5s'";

Connection connect_for_migration(ConnectionSettings settings) {
    settings.application_name = "tidings migrate";
    settings.statement_timeout = settings.query_timeout = settings.query_timeout.zero();
    return Connection(settings);
}

std::string sha256(std::string_view text) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
    unsigned size = 0;
    EVP_Digest(text.data(), text.size(), digest.data(), &size, EVP_sha256(), nullptr);
    constexpr std::string_view digits = "0123456789abcdef";
    std::string hex;
    for (unsigned i = 0; i < size; ++i) {
        hex += digits[digest[i] >> 4];
        hex += digits[digest[i] & 15];
    }
    return hex;
}

/// What the comments at the head of the file say.
int min_compatible(std::string_view sql) {
    constexpr std::string_view key = "-- min_compatible:";
    while (sql.starts_with("--")) {
        const std::string_view line = sql.substr(0, sql.find('\n'));
        if (line.starts_with(key)) {
            std::string_view number = line.substr(key.size());
            number.remove_prefix(std::min(number.find_first_not_of(' '), number.size()));
            int version = 0;
            if (std::from_chars(number.data(), number.data() + number.size(), version).ec != std::errc{})
                throw std::logic_error("a migration's min_compatible is not a number");
            return version;
        }
        sql.remove_prefix(std::min(line.size() + 1, sql.size()));
    }
    return 1;
}

int newest(std::span<const Migration> migrations) {
    return migrations.empty() ? 0 : migrations.back().version;
}

std::map<int, Applied> applied_migrations(Connection& connection) {
    std::map<int, Applied> applied;
    if (!connection.run(table_exists).front().get<bool>(0)) return applied;
    for (const Row row : connection.run(list_applied))
        applied.emplace(row.get<int>(0), Applied{row.get<std::string>(1), row.get<std::string>(2),
                                                 row.get<domain::Instant>(3)});
    return applied;
}

void must_fit(const std::map<int, Applied>& applied, std::span<const Migration> migrations) {
    if (!applied.empty() && applied.rbegin()->first > newest(migrations))
        throw SchemaMismatch("the database is at version " + std::to_string(applied.rbegin()->first) +
                             ", newer than this program (" + std::to_string(newest(migrations)) +
                             "): migrate with the newest release");
    for (const Migration& migration : migrations) {
        const auto found = applied.find(migration.version);
        if (found != applied.end() && found->second.checksum != sha256(migration.sql))
            throw SchemaMismatch("migration " + std::string(migration.name) +
                                 " has changed since it was applied: restore the file, and write a new one");
    }
}

void apply(Connection& connection, const Migration& migration) {
    const std::string name(migration.name);
    Transaction transaction(connection);
    transaction.execute(limit_lock_wait);
    transaction.execute(std::string(migration.sql), name.c_str());
    transaction.run(record, migration.version, name, sha256(migration.sql), min_compatible(migration.sql));
    transaction.commit();
}

template <class Runner>
void check(Runner& runner, std::span<const Migration> migrations) {
    int version = 0, compatible = 0;
    if (runner.run(table_exists).front().template get<bool>(0)) {
        const Rows rows = runner.run(schema_version);
        version = rows.front().get<int>(0);
        compatible = rows.front().get<int>(1);
    }
    const int own = newest(migrations);
    if (version < own)
        throw SchemaOutdated("the database is at version " + std::to_string(version) +
                             ", this program needs " + std::to_string(own) + ": run api-svc migrate");
    if (compatible > own)
        throw SchemaMismatch("the database is at version " + std::to_string(version) +
                             " and serves programs built for " + std::to_string(compatible) +
                             " or later, this one is built for " + std::to_string(own) +
                             ": deploy a newer release");
}

}  // namespace

MigrationReport migrate(const ConnectionSettings& settings, std::span<const Migration> migrations) {
    Connection connection = connect_for_migration(settings);
    connection.run(take_turns);
    connection.execute(create_table);
    const std::map<int, Applied> applied = applied_migrations(connection);
    must_fit(applied, migrations);

    MigrationReport report{
        .from = applied.empty() ? 0 : applied.rbegin()->first, .to = newest(migrations), .applied = {}};
    for (const Migration& migration : migrations) {
        if (applied.contains(migration.version)) continue;
        apply(connection, migration);
        report.applied.emplace_back(migration.name);
    }
    return report;
}

std::vector<MigrationState> migration_status(const ConnectionSettings& settings,
                                             std::span<const Migration> migrations) {
    Connection connection = connect_for_migration(settings);
    std::map<int, MigrationState> states;
    for (const Migration& migration : migrations)
        states[migration.version] = {migration.version, std::string(migration.name), std::nullopt};
    for (const auto& [version, applied] : applied_migrations(connection))
        states[version] = {version, applied.name, applied.applied_at};

    std::vector<MigrationState> list;
    list.reserve(states.size());
    for (auto& [version, state] : states) list.push_back(std::move(state));
    return list;
}

void check_schema(Connection& connection, std::span<const Migration> migrations) {
    check(connection, migrations);
}

void check_schema(Pool& pool, std::span<const Migration> migrations) {
    check(pool, migrations);
}

}  // namespace postgres
