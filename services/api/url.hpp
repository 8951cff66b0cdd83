// The one place where request targets are decoded. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace api {

/// Decoded names and values, in order.
using Query = std::vector<std::pair<std::string, std::string>>;

/// The segments between the slashes of "/a/b%2Fc": {"a", "b/c"}. Nothing when an escape is broken.
std::optional<std::vector<std::string>> decode_path(std::string_view path);

/// Of "a=1&b=x+y". Nothing when an escape is broken.
std::optional<Query> decode_query(std::string_view query);

}  // namespace api
