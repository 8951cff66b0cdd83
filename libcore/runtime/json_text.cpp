#include "libcore/runtime/json_text.hpp"

#include <fmt/format.h>

#include <cstdint>
#include <iterator>

namespace runtime {
namespace {

bool continues(std::string_view text, std::size_t at, unsigned low = 0x80, unsigned high = 0xBF) {
    return at < text.size() && static_cast<std::uint8_t>(text[at]) >= low &&
           static_cast<std::uint8_t>(text[at]) <= high;
}

/// Length of the valid UTF-8 sequence at the beginning, or 0 (Unicode 15, table 3-7).
std::size_t sequence_length(std::string_view text) {
    const auto lead = static_cast<std::uint8_t>(text.front());
    if (lead < 0x80) return 1;
    if (lead >= 0xC2 && lead <= 0xDF) return continues(text, 1) ? 2 : 0;
    if (lead >= 0xE0 && lead <= 0xEF) {
        const unsigned low = lead == 0xE0 ? 0xA0 : 0x80;
        const unsigned high = lead == 0xED ? 0x9F : 0xBF;
        return continues(text, 1, low, high) && continues(text, 2) ? 3 : 0;
    }
    if (lead >= 0xF0 && lead <= 0xF4) {
        const unsigned low = lead == 0xF0 ? 0x90 : 0x80;
        const unsigned high = lead == 0xF4 ? 0x8F : 0xBF;
        return continues(text, 1, low, high) && continues(text, 2) && continues(text, 3) ? 4 : 0;
    }
    return 0;
}

void append_escaped(std::string& out, char c) {
    switch (c) {
        case '"':
            out += R"(\")";
            break;
        case '\\':
            out += R"(\\)";
            break;
        case '\n':
            out += R"(\n)";
            break;
        case '\r':
            out += R"(\r)";
            break;
        case '\t':
            out += R"(\t)";
            break;
        default:
            if (static_cast<std::uint8_t>(c) < 0x20 || c == 0x7F)
                fmt::format_to(std::back_inserter(out), R"(\u{:04x})", static_cast<unsigned>(c));
            else
                out += c;
    }
}

}  // namespace

void append_json_string(std::string& out, std::string_view text) {
    out += '"';
    while (!text.empty()) {
        const auto length = sequence_length(text);
        if (length == 0)
            out += R"(\ufffd)";
        else if (length == 1)
            append_escaped(out, text.front());
        else
            out += text.substr(0, length);
        text.remove_prefix(length == 0 ? 1 : length);
    }
    out += '"';
}

}  // namespace runtime
