// Who a client is, by X-Forwarded-For and TRUSTED_PROXIES: nobody can write himself another address from
// outside the trusted proxies. And the limits of a key.

#include <array>

#include "services/api/client_address.hpp"
#include "services/api/limits.hpp"
#include "tests/fuzz/fuzz.hpp"

namespace {

constexpr std::string_view stranger = "203.0.113.9";
constexpr std::string_view proxy = "10.1.2.3";

void check_forwarded(std::string_view claim) {
    static const auto trusted = *api::TrustedProxies::parse("10.0.0.0/8,::1");
    // Nothing that a stranger claims is believed, nor what stands left of the address his proxy has seen.
    const std::array<std::string_view, 1> claimed{claim};
    MUST_HOLD(api::client_address(stranger, claimed, trusted) == api::parse_address(stranger));
    const std::array<std::string_view, 2> appended{claim, stranger};
    MUST_HOLD(api::client_address(proxy, appended, trusted) == api::parse_address(stranger));
    const auto appended_to = std::string(claim) + ", " + std::string(stranger);
    const std::array<std::string_view, 1> joined{appended_to};
    MUST_HOLD(api::client_address(proxy, joined, trusted) == api::parse_address(stranger));
    // Nobody trusts a list that nobody can read.
    MUST_HOLD(api::client_address(proxy, claimed, {}) == api::parse_address(proxy));
}

void check_proxies(std::string_view list) {
    const auto proxies = api::TrustedProxies::parse(list);
    if (!proxies) {
        MUST_HOLD(proxies.errors().size() == 1);
        return;
    }
    if (list.find('/') == std::string_view::npos && api::parse_address(list)) {
        MUST_HOLD(proxies->trusts(*api::parse_address(list)));
    }
    if (list.find_first_not_of(" \t") == std::string_view::npos) {
        MUST_HOLD(!proxies->trusts(*api::parse_address(proxy)));
    }
}

void check_limits(std::string_view text) {
    const auto limits = api::parse_limits(text);
    if (!limits) return;
    std::string again;
    for (std::size_t i = 0; i < api::class_names.size(); ++i) {
        const int requests = limits->requests[i];
        MUST_HOLD(requests >= 0);
        if (requests == 0) continue;
        again +=
            (again.empty() ? "" : ",") + std::string(api::class_names[i]) + '=' + std::to_string(requests);
    }
    if (limits->unlimited) again = "none";
    const auto read = api::parse_limits(again);
    MUST_HOLD(read);
    MUST_HOLD(*read == *limits);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto text = fuzz::text_of(data, size);
    check_forwarded(text);
    check_proxies(text);
    check_limits(text);
    return 0;
}
