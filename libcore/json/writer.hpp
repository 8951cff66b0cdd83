// Writes JSON text without a tree in between. The caller keeps begin and end balanced; commas and escapes are
// ours.
#pragma once

#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "libcore/domain/time.hpp"
#include "libcore/domain/uuid.hpp"

namespace json {

class Writer {
public:
    Writer& begin_object() { return open('{'); }
    Writer& end_object() { return close('}'); }
    Writer& begin_array() { return open('['); }
    Writer& end_array() { return close(']'); }
    Writer& key(std::string_view name);

    /// Texts are valid UTF-8.
    Writer& value(std::string_view text);
    Writer& value(const std::string& text) { return value(std::string_view(text)); }
    Writer& value(const char* text) { return value(std::string_view(text)); }
    Writer& value(bool boolean) { return raw(boolean ? "true" : "false"); }
    Writer& value(const domain::Uuid& uuid) { return value(domain::to_string(uuid)); }
    Writer& value(const domain::Date& date) { return value(domain::to_string(date)); }
    Writer& value(domain::TimeOfDay time) { return value(domain::to_string(time)); }
    Writer& value(std::chrono::milliseconds duration) { return value(domain::to_string(duration)); }
    Writer& value(domain::Instant instant) { return value(domain::to_string(instant)); }
    /// In as few digits as tell it from its neighbours; null if it is not a number, or infinite.
    Writer& value(double number);
    template <std::integral T>
    Writer& value(T number) {
        return raw(std::to_string(number));
    }
    template <class T>
    Writer& value(const std::optional<T>& optional) {
        return optional ? value(*optional) : raw("null");
    }

    template <class T>
    Writer& member(std::string_view name, const T& content) {
        return key(name).value(content);
    }

    /// Bytes so far.
    std::size_t size() const { return text_.size(); }

    std::string take() { return std::move(text_); }

private:
    Writer& open(char bracket);
    Writer& close(char bracket);
    Writer& raw(std::string_view text);
    void separate();
    void quote(std::string_view text);

    std::string text_;
};

}  // namespace json
