#include "libcore/http/url.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>

namespace http {
namespace {

constexpr std::uint16_t http_port = 80;
constexpr std::uint16_t https_port = 443;

char lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool is_alphanumeric(char c) {
    return (lower(c) >= 'a' && lower(c) <= 'z') || (c >= '0' && c <= '9');
}

bool take_scheme(std::string_view& text, std::string_view scheme) {
    if (text.size() < scheme.size() || !std::equal(scheme.begin(), scheme.end(), text.begin(),
                                                   [](char a, char b) { return a == lower(b); })) {
        return false;
    }
    text.remove_prefix(scheme.size());
    return true;
}

bool is_ipv6(const std::string& text) {
    in6_addr address{};
    if (text.find('\0') != std::string::npos) return false;  // inet_pton would stop there
    return inet_pton(AF_INET6, text.c_str(), &address) == 1;
}

bool is_host_name(std::string_view text) {
    return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
        return is_alphanumeric(c) || c == '-' || c == '.' || c == '_';
    });
}

bool is_path(std::string_view text) {
    return std::all_of(text.begin(), text.end(),
                       [](char c) { return c > ' ' && c < '\x7f' && c != '?' && c != '#'; });
}

std::optional<std::uint16_t> parse_port(std::string_view text) {
    std::uint16_t port = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
    if (error != std::errc{} || end != text.data() + text.size() || port == 0) return std::nullopt;
    return port;
}

}  // namespace

std::optional<Url> parse_url(std::string_view text) {
    Url url;
    if (take_scheme(text, "https://")) {
        url.tls = true;
    } else if (!take_scheme(text, "http://")) {
        return std::nullopt;
    }

    const auto authority = text.substr(0, text.find('/'));
    auto path = text.substr(authority.size());
    while (path.ends_with('/')) path.remove_suffix(1);
    if (!is_path(path)) return std::nullopt;
    url.path = path;

    const bool bracketed = authority.starts_with('[');
    const auto host_end = bracketed ? authority.find(']') : std::min(authority.find(':'), authority.size());
    if (host_end == std::string_view::npos) return std::nullopt;
    url.host = bracketed ? authority.substr(1, host_end - 1) : authority.substr(0, host_end);
    if (bracketed ? !is_ipv6(url.host) : !is_host_name(url.host)) return std::nullopt;

    const auto after_host = authority.substr(bracketed ? host_end + 1 : host_end);
    if (after_host.empty()) {
        url.port = url.tls ? https_port : http_port;
        return url;
    }
    const auto port = after_host.starts_with(':') ? parse_port(after_host.substr(1)) : std::nullopt;
    if (!port) return std::nullopt;
    url.port = *port;
    return url;
}

std::string host_header(const Url& url) {
    auto text = url.host.find(':') == std::string::npos ? url.host : '[' + url.host + ']';
    if (url.port != (url.tls ? https_port : http_port)) text += ':' + std::to_string(url.port);
    return text;
}

}  // namespace http
