// Brings a database to the schema this program was built with, and tells whether the two fit together.
// The SQL files of migrations/ are part of the binary.
#pragma once

#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "libcore/domain/time.hpp"

namespace postgres {

class Connection;
struct ConnectionSettings;
class Pool;

/// One file `NNNN_name.sql`. A line `-- min_compatible: N` among the comments at its head says that programs
/// built for version N and later can work with the database after it; without that line every program can.
struct Migration {
    int version;
    std::string_view name;
    std::string_view sql;
};

/// Those in the binary, in order: 1, 2, 3, …
std::span<const Migration> embedded_migrations();

/// A database and a program that must not meet; the text tells an operator what to do.
class SchemaMismatch : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// The database is older than the program: it fits once somebody has migrated it.
class SchemaOutdated : public SchemaMismatch {
public:
    using SchemaMismatch::SchemaMismatch;
};

struct MigrationState {
    int version;
    std::string name;
    std::optional<domain::Instant> applied_at;
};

struct MigrationReport {
    int from = 0;
    int to = 0;
    std::vector<std::string> applied;  ///< names, in order
};

/// Applies what is missing, each file in a transaction of its own, without a limit of time; several at once
/// take turns, which is a state of their sessions: the settings lead past any pooler. Throws SchemaMismatch
/// when an applied file has changed since or the database is newer, DatabaseError when a file fails.
MigrationReport migrate(const ConnectionSettings& settings,
                        std::span<const Migration> migrations = embedded_migrations());

/// Every migration of the database and of this program, in order. Changes nothing.
std::vector<MigrationState> migration_status(const ConnectionSettings& settings,
                                             std::span<const Migration> migrations = embedded_migrations());

/// Whether a service can work with the database: throws SchemaOutdated when it is older than the program,
/// SchemaMismatch when it is so much newer that programs of this version no longer fit.
void check_schema(Connection& connection, std::span<const Migration> migrations = embedded_migrations());
void check_schema(Pool& pool, std::span<const Migration> migrations = embedded_migrations());

}  // namespace postgres
