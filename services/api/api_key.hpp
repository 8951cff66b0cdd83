// Keys clients authenticate with: "tdg_<prefix>_<secret>". The prefix is public and finds the row; of the
// secret only the SHA-256 is kept, which is enough because it has 256 random bits. No I/O but randomness.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "libcore/postgres/api_keys_table.hpp"

namespace api {

/// None implies another: `admin`, too, opens only what asks for it.
inline constexpr std::array<std::string_view, 6> known_scopes = {
    "users:read", "users:write", "messages:read", "messages:write", "imports", "admin"};

struct NewKey {
    std::string text;  ///< shown once
    postgres::ApiKey row;
};

NewKey make_key(std::string name, std::vector<std::string> scopes);

/// The key that the Authorization header's value ("Bearer tdg_…") proves, or null. Takes the same time for
/// every wrong secret.
const postgres::ApiKey* authenticate(std::string_view authorization,
                                     const std::vector<postgres::ApiKey>& keys);

bool allows(const postgres::ApiKey& key, std::string_view scope);

}  // namespace api
