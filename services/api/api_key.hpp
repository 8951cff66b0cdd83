// Keys clients authenticate with: "tdg_<prefix>_<secret>". The prefix is public and finds the row; of the
// secret only the SHA-256 is kept, which is enough because it has 256 random bits. No I/O but randomness.
#pragma once

#include <array>
#include <chrono>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "libcore/postgres/api_keys_table.hpp"
#include "services/api/limits.hpp"

namespace api {

/// None implies another: `admin`, too, opens only what asks for it.
inline constexpr std::array<std::string_view, 6> known_scopes = {
    "users:read", "users:write", "messages:read", "messages:write", "imports", "admin"};

struct NewKey {
    std::string text;  ///< shown once
    postgres::KeyIdentity identity;
};

NewKey make_key();

/// A key as requests meet it.
struct LiveKey {
    using Clock = std::chrono::steady_clock;

    postgres::ApiKey row;
    KeyLimits limits;
    std::optional<Clock::time_point> ends_at;  ///< opens nothing from then on
};

/// `asked_at`: a moment before the database was asked for the row.
LiveKey live_key(postgres::ApiKey row, LiveKey::Clock::time_point asked_at);

/// The key that the Authorization header's value ("Bearer tdg_…") proves, or null. Takes the same time for
/// every secret that is wrong, and for a prefix that nobody has.
const LiveKey* authenticate(std::string_view authorization, std::span<const LiveKey> keys,
                            LiveKey::Clock::time_point now);

bool allows(const LiveKey& key, std::string_view scope);

}  // namespace api
