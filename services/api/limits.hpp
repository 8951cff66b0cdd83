// Which limits a request falls under: the classes of requests, the defaults, and a key's own. Pure.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "libcore/domain/result.hpp"

namespace api {

enum class RequestClass : std::uint8_t { create, update, read, remove };

inline constexpr std::array<std::string_view, 4> class_names = {"create", "update", "read", "delete"};

RequestClass class_of(std::string_view method);
constexpr std::string_view name_of(RequestClass of) {
    return class_names[static_cast<std::size_t>(of)];
}

/// Requests in a window, by class.
using ClassLimits = std::array<int, class_names.size()>;

/// What a key has instead of the defaults.
struct KeyLimits {
    bool unlimited = false;
    ClassLimits requests{};  ///< 0: the default of that class

    friend bool operator==(const KeyLimits&, const KeyLimits&) = default;
};

/// "create=600,read=10000", or "none" for a key without limits.
domain::Result<KeyLimits> parse_limits(std::string_view text);

}  // namespace api
