#include "libcore/postgres/parameters.hpp"

#include <array>
#include <charconv>
#include <stdexcept>

namespace postgres {

namespace {

template <class Number>
void append_number(std::string& out, Number number) {
    std::array<char, 32> digits;
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
    out.append(digits.data(), end);
}

void must_have_no_nul(std::string_view text) {
    if (text.find('\0') != std::string_view::npos)
        throw std::invalid_argument("text for PostgreSQL contains NUL");
}

}  // namespace

void encode(std::string& out, std::string_view text) {
    must_have_no_nul(text);
    out += text;
}

void encode(std::string& out, const domain::Uuid& uuid) {
    out += domain::to_string(uuid);
}

void encode(std::string& out, const domain::Date& date) {
    out += domain::to_string(date);
}

void encode(std::string& out, domain::Instant instant) {
    out += domain::to_string(instant);
}

void encode(std::string& out, std::chrono::microseconds interval) {
    append_number(out, interval.count());
    out += " microseconds";
}

void encode(std::string& out, double number) {
    append_number(out, number);
}

void encode_integer(std::string& out, std::int64_t number) {
    append_number(out, number);
}

void encode_quoted(std::string& out, std::string_view text) {
    must_have_no_nul(text);
    out += '"';
    for (std::size_t special; (special = text.find_first_of("\"\\")) != std::string_view::npos;) {
        out.append(text.substr(0, special));
        out += '\\';
        out += text[special];
        text.remove_prefix(special + 1);
    }
    out += text;
    out += '"';
}

std::vector<const char*> Parameters::values() const {
    std::vector<const char*> values;
    values.reserve(ends_.size());
    std::size_t begin = 0;
    for (const End& end : ends_) {
        values.push_back(end.null ? nullptr : text_.data() + begin);
        begin = end.position;
    }
    return values;
}

}  // namespace postgres
