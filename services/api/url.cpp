#include "services/api/url.hpp"

#include <algorithm>
#include <charconv>

#include "libcore/domain/text.hpp"

namespace api {

namespace {

constexpr std::size_t most_parameters = 32;
constexpr std::size_t longest_field = 100;

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
    std::replace(spaced.begin(), spaced.end(), '+', ' ');
    return decoded(spaced);
}

/// What is wrong with a parameter, were it the only one.
std::optional<domain::Error> fault(const std::string& name, const std::string& value,
                                   std::span<const Parameter> known) {
    const auto field = domain::clean_text(name, longest_field);
    const auto parameter =
        std::find_if(known.begin(), known.end(), [&](const Parameter& p) { return p.name == name; });
    if (parameter == known.end()) return domain::Error{"unknown_parameter", field, "is not a parameter here"};
    if (!domain::is_line(value))
        return domain::Error{"invalid_characters", field,
                             "must be UTF-8 without control characters or line breaks"};
    if (!parameter->fits(value)) return domain::Error{"invalid", field, std::string(parameter->rule)};
    return std::nullopt;
}

}  // namespace

std::optional<std::vector<std::string>> decode_path(std::string_view path) {
    std::vector<std::string> segments;
    if (path.starts_with('/')) path.remove_prefix(1);
    for (const auto part : domain::split(path, '/')) {
        auto segment = decoded(part);
        if (!segment || !domain::is_line(*segment)) return std::nullopt;
        segments.push_back(std::move(*segment));
    }
    return segments;
}

std::optional<std::string_view> Query::value(std::string_view name) const {
    for (const auto& [known, value] : values_)
        if (known == name) return value;
    return std::nullopt;
}

domain::Result<Query> Query::read(std::string_view text, std::span<const Parameter> known) {
    Query query;
    domain::Errors errors;
    for (const auto part : domain::split(text, '&')) {
        if (part.empty()) continue;
        const auto equals = part.find('=');
        const auto name = decoded_form(part.substr(0, equals));
        const auto value = decoded_form(equals == std::string_view::npos ? "" : part.substr(equals + 1));
        if (!name || !value) return domain::Error{"invalid_query", "", "holds a broken percent-escape"};
        if (query.value(*name)) {
            errors.push_back(
                {"duplicate_parameter", domain::clean_text(*name, longest_field), "is given more than once"});
        } else if (auto wrong = fault(*name, *value, known)) {
            errors.push_back(std::move(*wrong));
        }
        query.values_.emplace_back(*name, *value);
        if (query.values_.size() > most_parameters)
            return domain::Error{"too_many_parameters", "", "has too many parameters"};
    }
    if (!errors.empty()) return errors;
    return query;
}

}  // namespace api
