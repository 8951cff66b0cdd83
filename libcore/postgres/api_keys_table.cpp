#include "libcore/postgres/api_keys_table.hpp"

#include <sstream>

#include "libcore/postgres/pool.hpp"

namespace postgres {

namespace {

#define KEY_COLUMNS                                                                                       \
    " name, prefix, encode(secret_sha256, 'hex'), array_to_string(scopes, ' '), expires_at, revoked_at, " \
    "last_used_at"

constexpr Statement insert_statement{"api_key_insert", R"sql(
    INSERT INTO api_keys (id, name, prefix, secret_sha256, scopes, expires_at)
    VALUES ($1, $2, $3, decode($4, 'hex'), $5, $6))sql"};

constexpr Statement all_statement{"api_keys_all",
                                  "SELECT" KEY_COLUMNS " FROM api_keys ORDER BY created_at, id"};

constexpr Statement live_statement{"api_keys_live", "SELECT" KEY_COLUMNS R"sql(
    FROM api_keys
    WHERE revoked_at IS NULL AND (expires_at IS NULL OR expires_at > clock_timestamp()))sql"};

constexpr Statement revoke_statement{
    "api_key_revoke",
    "UPDATE api_keys SET revoked_at = clock_timestamp() WHERE prefix = $1 AND revoked_at IS NULL"};

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
                        .expires_at = row.get<std::optional<domain::Instant>>(4),
                        .revoked_at = row.get<std::optional<domain::Instant>>(5),
                        .last_used_at = row.get<std::optional<domain::Instant>>(6)});
    }
    return keys;
}

}  // namespace

void insert_api_key(Pool& pool, const domain::Uuid& id, const ApiKey& key) {
    pool.run(insert_statement, id, key.name, key.prefix, key.secret_sha256, key.scopes, key.expires_at);
}

std::vector<ApiKey> all_api_keys(Pool& pool) {
    return read_keys(pool.run(all_statement));
}

std::vector<ApiKey> live_api_keys(Pool& pool) {
    return read_keys(pool.run(live_statement));
}

bool revoke_api_key(Pool& pool, std::string_view prefix) {
    return pool.run(revoke_statement, prefix).affected() == 1;
}

void touch_api_keys(Pool& pool, const std::vector<std::string>& prefixes) {
    if (!prefixes.empty()) pool.run(touch_statement, prefixes);
}

}  // namespace postgres
