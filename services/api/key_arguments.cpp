#include "services/api/key_arguments.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "libcore/domain/text.hpp"
#include "services/api/api_key.hpp"

namespace api {

namespace {

constexpr std::size_t longest_name = 100;

domain::Result<std::vector<std::string>> read_scopes(std::string_view text) {
    std::vector<std::string> scopes;
    for (const auto scope : domain::split(text, ',')) {
        if (std::find(known_scopes.begin(), known_scopes.end(), scope) == known_scopes.end())
            return domain::Error{"unknown_scope", "scopes",
                                 fmt::format("must be some of {}", fmt::join(known_scopes, ","))};
        if (std::find(scopes.begin(), scopes.end(), scope) == scopes.end()) scopes.emplace_back(scope);
    }
    return scopes;
}

bool is_name(std::string_view text) {
    const auto starts_character = [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; };
    const auto characters = std::count_if(text.begin(), text.end(), starts_character);
    return domain::is_line(text) && characters > 0 && characters <= static_cast<long>(longest_name);
}

}  // namespace

std::optional<std::chrono::seconds> parse_span(std::string_view text) {
    if (text == "0") return std::chrono::seconds(0);
    const auto duration = domain::parse_duration(text);
    const auto whole =
        std::chrono::floor<std::chrono::seconds>(duration.value_or(std::chrono::milliseconds(1)));
    return duration == whole ? std::optional(whole) : std::nullopt;
}

domain::Result<postgres::ApiKey> read_new_key(const runtime::Arguments& arguments, domain::Instant now) {
    postgres::ApiKey key;
    key.name = arguments.at("name");
    if (!is_name(key.name))
        return domain::Error{"invalid", "name", "must be 1 to 100 characters on one line"};
    const auto scopes = read_scopes(arguments.at("scopes"));
    if (!scopes) return scopes.errors();
    key.scopes = *scopes;
    if (const auto expires = arguments.find("expires"); expires != arguments.end()) {
        key.expires_at = domain::parse_instant(expires->second);
        if (const auto span = parse_span(expires->second)) key.expires_in = *span;
        const bool ahead =
            key.expires_at ? *key.expires_at > now : key.expires_in && key.expires_in->count() > 0;
        if (!ahead)
            return domain::Error{"invalid", "expires",
                                 "must be a time from now such as 90d or 12h, or an instant to come such as "
                                 "2027-03-01T00:00:00Z"};
    }
    if (const auto limits = arguments.find("limits"); limits != arguments.end()) {
        if (const auto parsed = parse_limits(limits->second); !parsed) return parsed.errors();
        key.limits = limits->second;
    }
    return key;
}

}  // namespace api
