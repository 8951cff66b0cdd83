// The one place where request targets are decoded. Pure.
#pragma once

#include <charconv>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "libcore/domain/result.hpp"

namespace api {

template <int least, int most>
std::optional<int> parse_number(std::string_view text) {
    int number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    const bool whole = error == std::errc() && end == text.data() + text.size();
    return whole && number >= least && number <= most ? std::optional(number) : std::nullopt;
}

/// Whether `parse` makes something of the text.
template <auto parse>
bool fits(std::string_view text) {
    return parse(text).has_value();
}

/// The segments between the slashes of "/a/b%2Fc": {"a", "b/c"}. Nothing when an escape is broken or a
/// segment is not a line of UTF-8.
std::optional<std::vector<std::string>> decode_path(std::string_view path);

/// One that a query may have.
struct Parameter {
    std::string_view name;
    bool (*fits)(std::string_view value);
    std::string_view rule;  ///< what a value must be
};

class Query {
public:
    /// Nothing when the parameter was not given.
    std::optional<std::string_view> value(std::string_view name) const;

    /// Of "a=1&b=x+y": every parameter is known, given once, and fits; else all that do not.
    static domain::Result<Query> read(std::string_view query, std::span<const Parameter> known);

private:
    std::vector<std::pair<std::string, std::string>> values_;
};

}  // namespace api
