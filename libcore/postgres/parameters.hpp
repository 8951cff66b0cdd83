// The values of a statement's $1, $2, … in PostgreSQL's text format, all in one buffer.
// The SQL decides their types: `unnest($1::uuid[])`, `$2::interval`.
#pragma once

#include <chrono>
#include <concepts>
#include <cstdint>
#include <optional>
#include <ranges>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "libcore/domain/time.hpp"
#include "libcore/domain/uuid.hpp"
#include "libcore/postgres/parameter_types.hpp"

namespace postgres {

/// Each appends the text form of one value. Text that contains NUL is std::invalid_argument: PostgreSQL has
/// none.
void encode(std::string& out, std::string_view text);
void encode(std::string& out, const domain::Uuid& uuid);
void encode(std::string& out, const domain::Date& date);
void encode(std::string& out, domain::Instant instant);
void encode(std::string& out, std::chrono::microseconds interval);
void encode(std::string& out, double number);
void encode_integer(std::string& out, std::int64_t number);
void encode_quoted(std::string& out, std::string_view text);

template <std::integral T>
void encode(std::string& out, T value) {
    if constexpr (std::same_as<T, bool>)
        out += value ? 't' : 'f';
    else
        encode_integer(out, static_cast<std::int64_t>(value));
}

class Parameters {
public:
    /// Takes text, bool, integers, double, Uuid, Date, Instant, durations (as an interval), optionals of
    /// these (an empty one is NULL) and ranges of all these (as an array).
    template <class... Args>
    explicit Parameters(const Args&... args) : types_(ParameterTypes<std::remove_cvref_t<Args>...>::text) {
        ends_.reserve(sizeof...(args));
        (add(args), ...);
    }

    /// One pointer a parameter, null for NULL, valid until this object goes.
    std::vector<const char*> values() const;
    /// For those who must not see the values.
    std::string_view types() const { return types_; }

private:
    struct End {
        std::size_t position;
        bool null;
    };

    template <class T>
    void add(const T& value) {
        if constexpr (is_optional<T>) {
            if (!value) return ends_.push_back({text_.size(), true});
            add(*value);
        } else {
            if constexpr (Array<T>)
                encode_array(value);
            else
                encode(text_, value);
            text_ += '\0';
            ends_.push_back({text_.size(), false});
        }
    }

    template <class Range>
    void encode_array(const Range& range) {
        text_ += '{';
        const char* separator = "";
        for (const std::ranges::range_value_t<const Range>& element : range) {
            text_ += separator;
            encode_element(element);
            separator = ",";
        }
        text_ += '}';
    }

    template <class T>
    void encode_element(const T& element) {
        static_assert(!Array<T>, "arrays have one dimension");
        if constexpr (is_optional<T>)
            element ? encode_element(*element) : void(text_ += "NULL");
        else if constexpr (Text<T>)
            encode_quoted(text_, element);
        else
            encode(text_, element);
    }

    const std::string_view types_;
    std::string text_;  // the values one after the other, each ended by NUL
    std::vector<End> ends_;
};

}  // namespace postgres
