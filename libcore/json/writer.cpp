#include "libcore/json/writer.hpp"

#include <array>
#include <charconv>
#include <cmath>

namespace json {

Writer& Writer::key(std::string_view name) {
    separate();
    quote(name);
    text_ += ':';
    return *this;
}

Writer& Writer::value(std::string_view text) {
    separate();
    quote(text);
    return *this;
}

Writer& Writer::value(double number) {
    if (!std::isfinite(number)) return raw("null");
    std::array<char, 32> digits;
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
    return raw({digits.data(), end});
}

Writer& Writer::open(char bracket) {
    separate();
    text_ += bracket;
    return *this;
}

Writer& Writer::close(char bracket) {
    text_ += bracket;
    return *this;
}

Writer& Writer::raw(std::string_view text) {
    separate();
    text_ += text;
    return *this;
}

/// A value or key follows another unless something has just been opened or named: no value ends like that.
void Writer::separate() {
    if (!text_.empty() && text_.back() != '{' && text_.back() != '[' && text_.back() != ':') text_ += ',';
}

void Writer::quote(std::string_view text) {
    constexpr std::string_view digits = "0123456789abcdef";
    text_ += '"';
    for (const char c : text) {
        switch (c) {
            case '"':
                text_ += "\\\"";
                break;
            case '\\':
                text_ += "\\\\";
                break;
            case '\n':
                text_ += "\\n";
                break;
            case '\r':
                text_ += "\\r";
                break;
            case '\t':
                text_ += "\\t";
                break;
            default:
                if (const auto byte = static_cast<unsigned char>(c); byte < 0x20) {
                    text_ += "\\u00";
                    text_ += digits[byte >> 4];
                    text_ += digits[byte & 15];
                } else {
                    text_ += c;
                }
        }
    }
    text_ += '"';
}

}  // namespace json
