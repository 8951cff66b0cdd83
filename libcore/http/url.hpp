// The base URL of a provider, taken apart. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace http {

struct Url {
    bool tls = false;
    std::string host;  ///< an IPv6 literal stands without its brackets
    std::uint16_t port = 0;
    std::string path;  ///< empty or "/v1": never ends in a slash, so that "/send-email" can be appended

    friend bool operator==(const Url&, const Url&) = default;
};

/// An http or https URL; nothing for any other text, and for one with user info, a query or a fragment:
/// neither credentials nor parameters belong in a base URL.
std::optional<Url> parse_url(std::string_view text);

/// The value of the Host header (RFC 9110, 7.2).
std::string host_header(const Url& url);

}  // namespace http
