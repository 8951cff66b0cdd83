// How the types of a statement's parameters are called where values must not be shown: "uuid, date[], text".
// Pure, and done by the compiler.
#pragma once

#include <array>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <optional>
#include <ranges>
#include <string_view>

#include "libcore/domain/time.hpp"
#include "libcore/domain/uuid.hpp"

namespace postgres {

template <class T>
concept Text = std::convertible_to<const T&, std::string_view>;

template <class T>
concept Array = std::ranges::input_range<const T> && !Text<T>;

template <class T>
inline constexpr bool is_optional = false;
template <class T>
inline constexpr bool is_optional<std::optional<T>> = true;

/// Of what Parameters takes, but ranges and optionals.
template <class T>
constexpr std::string_view scalar_type() {
    if constexpr (Text<T>)
        return "text";
    else if constexpr (std::same_as<T, bool>)
        return "boolean";
    else if constexpr (std::integral<T>)
        return sizeof(T) > sizeof(int) ? "bigint" : "integer";
    else if constexpr (std::floating_point<T>)
        return "double precision";
    else if constexpr (std::same_as<T, domain::Uuid>)
        return "uuid";
    else if constexpr (std::convertible_to<T, domain::Instant>)
        return "timestamptz";
    else if constexpr (std::convertible_to<T, std::chrono::microseconds>)
        return "interval";
    else
        return "date";
}

template <class T>
constexpr std::size_t append_type(char* to) {
    const auto put = [&](std::string_view text) {
        if (to != nullptr)
            for (std::size_t i = 0; i < text.size(); ++i) to[i] = text[i];
        return text.size();
    };
    if constexpr (is_optional<T>) {
        return append_type<typename T::value_type>(to);
    } else if constexpr (Array<T>) {
        const auto size = append_type<std::remove_cvref_t<std::ranges::range_value_t<const T>>>(to);
        if (to != nullptr) to += size;
        return size + put("[]");
    } else {
        return put(scalar_type<T>());
    }
}

template <class... Args>
struct ParameterTypes {
    static constexpr std::size_t size =
        (append_type<Args>(nullptr) + ... + 0) + (sizeof...(Args) > 1 ? 2 * (sizeof...(Args) - 1) : 0);
    static constexpr auto letters = [] {
        std::array<char, size + 1> text{};
        [[maybe_unused]] std::size_t at = 0;
        [[maybe_unused]] const auto add = [&](auto append) {
            if (at != 0) text[at++] = ',', text[at++] = ' ';
            at += append(text.data() + at);
        };
        (add(append_type<Args>), ...);
        return text;
    }();
    static constexpr std::string_view text{letters.data(), size};
};

}  // namespace postgres
