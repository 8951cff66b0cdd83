#include "services/api/url.hpp"

#include <charconv>

#include "libcore/domain/text.hpp"

namespace api {

namespace {

std::optional<std::string> decoded(std::string_view text) {
    std::string result;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%') {
            result += text[i];
            continue;
        }
        unsigned char byte = 0;
        const auto digits = text.substr(i + 1, 2);
        const auto* const end = digits.data() + digits.size();
        if (digits.size() != 2 || std::from_chars(digits.data(), end, byte, 16).ptr != end)
            return std::nullopt;
        result += static_cast<char>(byte);
        i += 2;
    }
    return result;
}

/// Forms write a space as a plus sign, in queries only.
std::optional<std::string> decoded_form(std::string_view text) {
    std::string spaced(text);
    for (auto& c : spaced) {
        if (c == '+') c = ' ';
    }
    return decoded(spaced);
}

}  // namespace

std::optional<std::vector<std::string>> decode_path(std::string_view path) {
    std::vector<std::string> segments;
    if (path.starts_with('/')) path.remove_prefix(1);
    for (const auto part : domain::split(path, '/')) {
        auto segment = decoded(part);
        if (!segment) return std::nullopt;
        segments.push_back(std::move(*segment));
    }
    return segments;
}

std::optional<Query> decode_query(std::string_view query) {
    Query parameters;
    for (const auto part : domain::split(query, '&')) {
        if (part.empty()) continue;
        const auto equals = part.find('=');
        auto name = decoded_form(part.substr(0, equals));
        auto value =
            decoded_form(equals == std::string_view::npos ? std::string_view() : part.substr(equals + 1));
        if (!name || !value) return std::nullopt;
        parameters.emplace_back(std::move(*name), std::move(*value));
    }
    return parameters;
}

}  // namespace api
