// Who asks: the address of a client that may stand behind proxies. Pure.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "libcore/domain/result.hpp"

namespace api {

/// IPv6, or IPv4 in it as ::ffff:a.b.c.d.
using Address = std::array<std::uint8_t, 16>;

std::optional<Address> parse_address(std::string_view text);

/// What one client can be told by: all of an IPv4 address, and of IPv6 the /64, which is one client's own.
Address network_of(Address address);

/// The proxies whose X-Forwarded-For is believed.
class TrustedProxies {
public:
    /// Nobody.
    TrustedProxies() = default;

    bool trusts(const Address& address) const;

    /// Addresses and CIDR blocks: "10.0.0.0/8, ::1". The error's text names the part that is neither.
    static domain::Result<TrustedProxies> parse(std::string_view list);

private:
    struct Block {
        Address address;
        int bits;
    };

    std::vector<Block> blocks_;
};

/// `forwarded_for`: the values of all X-Forwarded-For headers, in their order. The right-most address that is
/// not a trusted proxy's; what stands left of it, or of something that is no address, anybody may have
/// written.
Address client_address(std::string_view peer, std::span<const std::string_view> forwarded_for,
                       const TrustedProxies& trusted);

}  // namespace api
