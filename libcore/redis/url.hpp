// Where Redis is and who we are there. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace redis {

struct Url {
    std::string host = "localhost";
    std::uint16_t port = 6379;
    std::string user = {};      ///< empty: the default user
    std::string password = {};  ///< empty: none
    int database = 0;

    friend bool operator==(const Url&, const Url&) = default;
};

/// `redis://user:password@host:port/database`, every part but the host may be absent; user and password are
/// percent-decoded. Nothing for any other text, `rediss` included: the client library has no TLS.
std::optional<Url> parse_url(std::string_view text);

}  // namespace redis
