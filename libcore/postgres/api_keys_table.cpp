#include "libcore/postgres/api_keys_table.hpp"

#include <sstream>

#include "libcore/postgres/pool.hpp"

namespace postgres {

namespace {

#define KEY_COLUMNS                                                                                   \
    " name, prefix, encode(secret_sha256, 'hex'), array_to_string(scopes, ' '), limits, created_at, " \
    "expires_at, revoked_at, last_used_at, expires_at - clock_timestamp()"

#define IS_LIVE " revoked_at IS NULL AND (expires_at IS NULL OR expires_at > clock_timestamp())"

// Whoever may run a program with the database's password has no name here.
#define NOTE_OPERATOR \
    "INSERT INTO audit_log (actor, action, subject, detail) SELECT 'operator (command line)', "

constexpr Statement insert_statement{"api_key_insert", R"sql(
    WITH made AS (
        INSERT INTO api_keys (id, name, prefix, secret_sha256, scopes, limits, lifetime, expires_at)
        VALUES ($1, $2, $3, decode($4, 'hex'), $5, $6, coalesce($7::timestamptz - clock_timestamp(), $8::interval),
                coalesce($7, clock_timestamp() + $8::interval))
        RETURNING *
    ))sql" NOTE_OPERATOR R"sql('key created', 'api_key ' || prefix,
           jsonb_build_object('name', name, 'scopes', scopes, 'limits', limits, 'expires_at', expires_at)
    FROM made)sql"};

constexpr Statement all_statement{
    "api_keys_all", "SELECT" KEY_COLUMNS " FROM api_keys ORDER BY created_at, id", Access::read};

constexpr Statement live_statement{"api_keys_live", "SELECT" KEY_COLUMNS R"sql(
    FROM api_keys WHERE)sql" IS_LIVE,
                                   Access::read};

constexpr Statement any_statement{"api_keys_any", "SELECT EXISTS (SELECT FROM api_keys)", Access::read};

constexpr Statement revoke_statement{"api_key_revoke", R"sql(
    WITH revoked AS (
        UPDATE api_keys SET revoked_at = clock_timestamp() WHERE prefix = $1 AND revoked_at IS NULL
        RETURNING prefix, name
    ))sql" NOTE_OPERATOR R"sql('key revoked', 'api_key ' || prefix, jsonb_build_object('name', name)
    FROM revoked)sql"};

constexpr Statement rotate_statement{"api_key_rotate", R"sql(
    WITH old AS (
        SELECT * FROM api_keys WHERE prefix = $1 AND)sql" IS_LIVE R"sql( FOR UPDATE
    ), ended AS (
        UPDATE api_keys SET expires_at = least(api_keys.expires_at, clock_timestamp() + $5::interval)
        FROM old WHERE api_keys.id = old.id
        RETURNING api_keys.expires_at
    ), made AS (
        INSERT INTO api_keys (id, name, prefix, secret_sha256, scopes, limits, lifetime, expires_at)
        SELECT $2, name, $3, decode($4, 'hex'), scopes, limits, lifetime, clock_timestamp() + lifetime FROM old
        RETURNING prefix, expires_at
    ))sql" NOTE_OPERATOR R"sql('key rotated', 'api_key ' || old.prefix,
           jsonb_build_object('name', old.name, 'ends_at', ended.expires_at, 'successor', made.prefix,
                              'expires_at', made.expires_at)
    FROM old, ended, made)sql"};

constexpr Statement touch_statement{"api_keys_touch", R"sql(
    UPDATE api_keys SET last_used_at = clock_timestamp()
    WHERE prefix = ANY ($1) AND (last_used_at IS NULL OR last_used_at < clock_timestamp() - interval '1 minute'))sql"};

/// Scopes hold no spaces.
std::vector<std::string> words(const std::string& text) {
    std::istringstream stream(text);
    std::vector<std::string> result;
    for (std::string word; stream >> word;) result.push_back(word);
    return result;
}

std::vector<ApiKey> read_keys(const Rows& rows) {
    std::vector<ApiKey> keys;
    for (const auto row : rows) {
        keys.push_back({.name = row.get<std::string>(0),
                        .prefix = row.get<std::string>(1),
                        .secret_sha256 = row.get<std::string>(2),
                        .scopes = words(row.get<std::string>(3)),
                        .limits = row.get<std::optional<std::string>>(4),
                        .created_at = row.get<domain::Instant>(5),
                        .expires_at = row.get<std::optional<domain::Instant>>(6),
                        .revoked_at = row.get<std::optional<domain::Instant>>(7),
                        .last_used_at = row.get<std::optional<domain::Instant>>(8),
                        .expires_in = row.get<std::optional<std::chrono::microseconds>>(9)});
    }
    return keys;
}

}  // namespace

void insert_api_key(Pool& pool, const domain::Uuid& id, const ApiKey& key) {
    pool.run(insert_statement, id, key.name, key.prefix, key.secret_sha256, key.scopes, key.limits,
             key.expires_at, key.expires_in);
}

std::vector<ApiKey> all_api_keys(Pool& pool) {
    return read_keys(pool.run(all_statement));
}

std::vector<ApiKey> live_api_keys(Pool& pool) {
    return read_keys(pool.run(live_statement));
}

bool any_api_key(Pool& pool) {
    return pool.run(any_statement).front().get<bool>(0);
}

bool revoke_api_key(Pool& pool, std::string_view prefix) {
    return pool.run(revoke_statement, prefix).affected() == 1;
}

bool rotate_api_key(Pool& pool, std::string_view prefix, const KeyIdentity& successor,
                    std::chrono::seconds grace) {
    const auto rows =
        pool.run(rotate_statement, prefix, successor.id, successor.prefix, successor.secret_sha256, grace);
    return rows.affected() == 1;
}

void touch_api_keys(Pool& pool, const std::vector<std::string>& prefixes) {
    if (!prefixes.empty()) pool.run(touch_statement, prefixes);
}

}  // namespace postgres
