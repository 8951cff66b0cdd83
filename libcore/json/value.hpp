// A parsed JSON document: an immutable tree that keeps the order of members and the exact text of numbers.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace json {

struct Member;

class Value {
public:
    using Array = std::vector<Value>;
    using Object = std::vector<Member>;

    /// As it was written: "-12.50e3". Its accuracy is the reader's choice.
    struct Number {
        std::string text;
    };

    Value() = default;
    explicit Value(bool boolean);
    explicit Value(Number number);
    explicit Value(std::string string);
    explicit Value(Array array);
    explicit Value(Object object);

    bool is_null() const { return std::holds_alternative<std::monostate>(content_); }
    const bool* boolean() const { return std::get_if<bool>(&content_); }
    const std::string* string() const { return std::get_if<std::string>(&content_); }
    const Array* array() const { return std::get_if<Array>(&content_); }
    const Object* object() const { return std::get_if<Object>(&content_); }

    /// Nothing unless it is a number written as an integer ("12", not "12.0" or "1e3") that fits.
    std::optional<std::int64_t> integer() const;

    /// The nearest double; nothing unless it is a number within a double's range.
    std::optional<double> real() const;

    /// The member's value; null when this is not an object or has no such member.
    const Value* find(std::string_view key) const;

private:
    std::variant<std::monostate, bool, Number, std::string, Array, Object> content_;
};

struct Member {
    std::string key;
    Value value;
};

// Here, because they need to know what a Member is.
inline Value::Value(bool boolean) : content_(boolean) {}
inline Value::Value(Number number) : content_(std::move(number)) {}
inline Value::Value(std::string string) : content_(std::move(string)) {}
inline Value::Value(Array array) : content_(std::move(array)) {}
inline Value::Value(Object object) : content_(std::move(object)) {}

}  // namespace json
