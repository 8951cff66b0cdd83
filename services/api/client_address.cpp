#include "services/api/client_address.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <string>

#include "libcore/domain/text.hpp"

namespace api {

namespace {

constexpr Address ipv4_prefix{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};
constexpr std::size_t ipv4_offset = 12;

std::string_view trimmed(std::string_view text) {
    const auto first = text.find_first_not_of(" \t");
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

bool is_ipv4(const Address& address) {
    return std::equal(ipv4_prefix.begin(), ipv4_prefix.begin() + ipv4_offset, address.begin());
}

/// Some proxies write the port too: "192.0.2.1:4711", "[2001:db8::1]:4711", "[2001:db8::1]".
std::string_view without_port(std::string_view text) {
    if (text.starts_with('[')) return text.substr(1, std::min(text.find(']'), text.size()) - 1);
    const auto colon = text.find(':');
    const bool ipv4 = text.find('.') < colon;
    return ipv4 ? text.substr(0, colon) : text;
}

/// How many bits of the address the block fixes, or nothing.
std::optional<int> parse_bits(std::string_view text, const Address& address) {
    const int offset = is_ipv4(address) ? 8 * static_cast<int>(ipv4_offset) : 0;
    int bits = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), bits);
    if (error != std::errc() || end != text.data() + text.size() || bits < 0 || offset + bits > 128)
        return std::nullopt;
    return offset + bits;
}

bool same_bits(const Address& a, const Address& b, int bits) {
    const auto whole = static_cast<std::size_t>(bits / 8);
    if (!std::equal(a.begin(), a.begin() + bits / 8, b.begin())) return false;
    const int rest = 8 - bits % 8;
    return rest == 8 || (a[whole] >> rest) == (b[whole] >> rest);
}

}  // namespace

std::optional<Address> parse_address(std::string_view text) {
    // The longest there is; what is longer is none, and inet_pton wants an end.
    if (text.size() >= INET6_ADDRSTRLEN || text.find('\0') != std::string_view::npos) return std::nullopt;
    const std::string copy(text);
    Address address = ipv4_prefix;
    if (::inet_pton(AF_INET, copy.c_str(), address.data() + ipv4_offset) == 1) return address;
    if (::inet_pton(AF_INET6, copy.c_str(), address.data()) == 1) return address;
    return std::nullopt;
}

Address network_of(Address address) {
    if (!is_ipv4(address)) std::fill(address.begin() + 8, address.end(), std::uint8_t{0});
    return address;
}

bool TrustedProxies::trusts(const Address& address) const {
    return std::any_of(blocks_.begin(), blocks_.end(),
                       [&](const Block& block) { return same_bits(block.address, address, block.bits); });
}

domain::Result<TrustedProxies> TrustedProxies::parse(std::string_view list) {
    TrustedProxies proxies;
    if (trimmed(list).empty()) return proxies;
    for (const auto part : domain::split(list, ',')) {
        const auto text = trimmed(part);
        const auto slash = text.find('/');
        const auto address = parse_address(text.substr(0, slash));
        const auto bits = !address || slash == std::string_view::npos
                              ? std::optional(128)
                              : parse_bits(text.substr(slash + 1), *address);
        if (!address || !bits)
            return domain::Error{"invalid", "",
                                 "must be addresses or blocks such as 10.0.0.0/8,::1, and \"" +
                                     std::string(text) + "\" is neither"};
        proxies.blocks_.push_back({*address, *bits});
    }
    return proxies;
}

Address client_address(std::string_view peer, std::span<const std::string_view> forwarded_for,
                       const TrustedProxies& trusted) {
    // A socket has no other kind of peer; the unspecified address stands for it all the same.
    auto client = parse_address(peer).value_or(Address{});
    for (auto header = forwarded_for.rbegin(); header != forwarded_for.rend(); ++header) {
        const auto hops = domain::split(*header, ',');
        for (auto hop = hops.rbegin(); hop != hops.rend(); ++hop) {
            if (!trusted.trusts(client)) return client;
            const auto before = parse_address(without_port(trimmed(*hop)));
            if (!before) return client;
            client = *before;
        }
    }
    return client;
}

}  // namespace api
