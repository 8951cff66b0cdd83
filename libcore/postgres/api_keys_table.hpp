// The API's keys. The database holds a hash, never a secret.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libcore/domain/time.hpp"
#include "libcore/domain/uuid.hpp"

namespace postgres {

class Pool;

struct ApiKey {
    std::string name;
    std::string prefix;         ///< the public part, which finds it
    std::string secret_sha256;  ///< 64 hexadecimal digits
    std::vector<std::string> scopes;
    std::optional<std::string> limits = {};  ///< of its own, as api-svc writes them
    domain::Instant created_at = {};
    std::optional<domain::Instant> expires_at = {};
    std::optional<domain::Instant> revoked_at = {};
    std::optional<domain::Instant> last_used_at = {};
    /// From the moment of the answer, by the database's clock.
    std::optional<std::chrono::microseconds> expires_in = {};
};

/// What a new key is known by.
struct KeyIdentity {
    domain::Uuid id;
    std::string prefix;
    std::string secret_sha256;
};

/// Of the key, `created_at`, `revoked_at` and `last_used_at` are not read. `expires_in` counts where there is
/// no `expires_at`. This and the changes below are written to the audit log with it.
void insert_api_key(Pool& pool, const domain::Uuid& id, const ApiKey& key);

/// All that ever were, oldest first.
std::vector<ApiKey> all_api_keys(Pool& pool);

/// Those that open the door now.
std::vector<ApiKey> live_api_keys(Pool& pool);

/// Whether there is a key, live or not.
bool any_api_key(Pool& pool);

/// False when there is no such key or it was revoked before.
bool revoke_api_key(Pool& pool, std::string_view prefix);

/// Makes a key with the name, scopes, limits and lifetime of the live one with that prefix, which ends after
/// the grace. False when there is none.
bool rotate_api_key(Pool& pool, std::string_view prefix, const KeyIdentity& successor,
                    std::chrono::seconds grace);

/// Notes the use of these keys, to the minute.
void touch_api_keys(Pool& pool, const std::vector<std::string>& prefixes);

}  // namespace postgres
