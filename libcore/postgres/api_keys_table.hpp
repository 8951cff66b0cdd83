// The API's keys. The database holds a hash, never a secret.
#pragma once

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
    std::optional<domain::Instant> expires_at = {};
    std::optional<domain::Instant> revoked_at = {};
    std::optional<domain::Instant> last_used_at = {};
};

void insert_api_key(Pool& pool, const domain::Uuid& id, const ApiKey& key);

/// All that ever were, oldest first.
std::vector<ApiKey> all_api_keys(Pool& pool);

/// Those that open the door now.
std::vector<ApiKey> live_api_keys(Pool& pool);

/// False when there is no such key or it was revoked before.
bool revoke_api_key(Pool& pool, std::string_view prefix);

/// Notes the use of these keys, to the minute.
void touch_api_keys(Pool& pool, const std::vector<std::string>& prefixes);

}  // namespace postgres
