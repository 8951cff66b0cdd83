// What an operator writes about a new key, read and judged. Pure.
#pragma once

#include "libcore/domain/result.hpp"
#include "libcore/postgres/api_keys_table.hpp"
#include "libcore/runtime/command_line.hpp"

namespace api {

/// Of --name, --scopes, --expires and --limits; who it is stays open. `now` judges --expires.
domain::Result<postgres::ApiKey> read_new_key(const runtime::Arguments& arguments, domain::Instant now);

/// "90d", "24h", "15m", "10s", or "0".
std::optional<std::chrono::seconds> parse_span(std::string_view text);

}  // namespace api
