#include "services/api/client_address.hpp"

#include <catch2/catch.hpp>
#include <string>

using api::client_address;
using api::parse_address;
using api::TrustedProxies;

namespace {

using Values = std::vector<std::string_view>;

api::Address address(std::string_view text) {
    const auto parsed = parse_address(text);
    REQUIRE(parsed);
    return *parsed;
}

const TrustedProxies proxies = TrustedProxies::parse("10.0.0.0/8, 192.0.2.7 ,2001:db8:1::/48,::1").value();

}  // namespace

TEST_CASE("addresses of both families are read and nothing else") {
    CHECK(address("127.0.0.1") == address("::ffff:127.0.0.1"));
    CHECK(address("2001:DB8::1") == address("2001:db8:0:0:0:0:0:1"));
    for (const auto* text : {"", "localhost", "1.2.3", "1.2.3.4.5", "256.1.1.1", "1.2.3.4 ", ":::", "[::1]",
                             "fe80::1%eth0", "1.2.3.4/8"}) {
        CAPTURE(text);
        CHECK_FALSE(parse_address(text));
    }
    CHECK_FALSE(parse_address(std::string_view("1.2.3.4\0", 8)));
    CHECK_FALSE(parse_address(std::string(1000, '1')));
}

TEST_CASE("a proxy is trusted by its address or its block") {
    for (const auto* inside : {"10.0.0.1", "10.255.255.255", "192.0.2.7", "2001:db8:1:ffff::1", "::1"})
        CHECK(proxies.trusts(address(inside)));
    for (const auto* outside : {"11.0.0.0", "9.255.255.255", "192.0.2.6", "2001:db8:2::", "::2", "127.0.0.1"})
        CHECK_FALSE(proxies.trusts(address(outside)));
    const auto odd = TrustedProxies::parse("172.16.0.0/12").value();
    CHECK(odd.trusts(address("172.31.255.255")));
    CHECK_FALSE(odd.trusts(address("172.32.0.0")));
    CHECK(TrustedProxies::parse("0.0.0.0/0")->trusts(address("8.8.8.8")));
    CHECK_FALSE(TrustedProxies::parse("0.0.0.0/0")->trusts(address("2001:db8::1")));
    CHECK_FALSE(TrustedProxies::parse(" ")->trusts(address("127.0.0.1")));
}

TEST_CASE("a list of proxies that cannot be read is refused and the part named") {
    for (const auto* list : {"localhost", "10.0.0.0/33", "::/129", "10.0.0.0/", "10.0.0.0/-1", "10.0.0.0/8,",
                             ",", "10.0.0.0/8 192.0.2.1", "10.0.0.0/8/8"}) {
        CAPTURE(list);
        CHECK_FALSE(TrustedProxies::parse(list));
    }
    CHECK(TrustedProxies::parse("::1, nonsense").errors().front().text.find("\"nonsense\"") !=
          std::string::npos);
}

TEST_CASE("what a client that is no proxy says of itself is not believed (H10)") {
    CHECK(client_address("203.0.113.9", Values{"198.51.100.1"}, proxies) == address("203.0.113.9"));
    CHECK(client_address("203.0.113.9", Values{"10.0.0.1"}, TrustedProxies()) == address("203.0.113.9"));
}

TEST_CASE("behind proxies the client is the right-most address that is not theirs (H10)") {
    const auto client = [](const Values& forwarded_for) {
        return client_address("10.0.0.1", forwarded_for, proxies);
    };
    CHECK(client({}) == address("10.0.0.1"));
    CHECK(client({"203.0.113.9"}) == address("203.0.113.9"));
    CHECK(client({"198.51.100.1, 203.0.113.9"}) == address("203.0.113.9"));
    CHECK(client({"198.51.100.1,203.0.113.9 ,\t10.9.9.9, 192.0.2.7"}) == address("203.0.113.9"));
    CHECK(client({"198.51.100.1", "203.0.113.9", "10.2.3.4"}) == address("203.0.113.9"));
    CHECK(client({"2001:db8:1::5", "2001:db8:2::5, ::1"}) == address("2001:db8:2::5"));
    CHECK(client({"10.1.1.1, 10.2.2.2"}) == address("10.1.1.1"));
}

TEST_CASE("what stands left of something that is no address is not believed") {
    const auto client = [](const Values& forwarded_for) {
        return client_address("10.0.0.1", forwarded_for, proxies);
    };
    CHECK(client({"203.0.113.9, unknown"}) == address("10.0.0.1"));
    CHECK(client({"203.0.113.9, , 10.2.2.2"}) == address("10.2.2.2"));
    CHECK(client({""}) == address("10.0.0.1"));
    CHECK(client({"203.0.113.9:4711"}) == address("203.0.113.9"));
    CHECK(client({"[2001:db8::5]:4711"}) == address("2001:db8::5"));
    CHECK(client({"[2001:db8::5]"}) == address("2001:db8::5"));
    CHECK(client({"[", "]", ":", "[:"}) == address("10.0.0.1"));
}

TEST_CASE("a client is all of an IPv4 address and a network of IPv6") {
    CHECK(api::network_of(address("203.0.113.9")) == address("203.0.113.9"));
    CHECK(api::network_of(address("2001:db8:1:2:3:4:5:6")) == address("2001:db8:1:2::"));
}
