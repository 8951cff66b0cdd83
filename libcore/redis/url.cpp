#include "libcore/redis/url.hpp"

#include <algorithm>
#include <charconv>

namespace redis {

namespace {

constexpr std::string_view scheme = "redis://";
constexpr int highest_database = 1'000'000;

template <class Number>
std::optional<Number> parse_number(std::string_view text, Number least, Number most) {
    Number number{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    if (number < least || number > most) return std::nullopt;
    return number;
}

bool is_host_character(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_';
}

std::optional<std::string> percent_decoded(std::string_view text) {
    std::string decoded;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%') {
            decoded += text[i];
            continue;
        }
        unsigned byte = 0;
        const auto digits = text.substr(i + 1, 2);
        const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), byte, 16);
        if (digits.size() != 2 || error != std::errc{} || end != digits.data() + 2) return std::nullopt;
        decoded += static_cast<char>(byte);
        i += 2;
    }
    return decoded;
}

bool read_credentials(std::string_view text, Url& url) {
    const auto colon = std::min(text.find(':'), text.size());
    const auto user = percent_decoded(text.substr(0, colon));
    const auto password = percent_decoded(text.substr(std::min(colon + 1, text.size())));
    if (!user || !password || password->empty()) return false;
    url.user = *user;
    url.password = *password;
    return true;
}

bool read_host(std::string_view text, Url& url) {
    const bool bracketed = text.starts_with('[');
    const auto end = bracketed ? text.find(']') : std::min(text.find(':'), text.size());
    if (end == std::string_view::npos) return false;
    const auto host = bracketed ? text.substr(1, end - 1) : text.substr(0, end);
    const auto may_stand = [&](char c) { return is_host_character(c) || (bracketed && c == ':'); };
    if (host.empty() || !std::all_of(host.begin(), host.end(), may_stand)) return false;
    url.host = host;
    const auto rest = text.substr(bracketed ? end + 1 : end);
    if (rest.empty()) return true;
    const auto port =
        rest.starts_with(':') ? parse_number<std::uint16_t>(rest.substr(1), 1, 65'535) : std::nullopt;
    url.port = port.value_or(0);
    return port.has_value();
}

}  // namespace

std::optional<Url> parse_url(std::string_view text) {
    if (!text.starts_with(scheme)) return std::nullopt;
    text.remove_prefix(scheme.size());
    Url url;
    if (const auto slash = text.find('/'); slash != std::string_view::npos) {
        const auto name = text.substr(slash + 1);
        const auto database = name.empty() ? 0 : parse_number(name, 0, highest_database);
        if (!database) return std::nullopt;
        url.database = *database;
        text = text.substr(0, slash);
    }
    if (const auto at = text.rfind('@'); at != std::string_view::npos) {
        if (!read_credentials(text.substr(0, at), url)) return std::nullopt;
        text.remove_prefix(at + 1);
    }
    if (!read_host(text, url)) return std::nullopt;
    return url;
}

}  // namespace redis
