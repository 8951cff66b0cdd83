#include "libcore/postgres/rows.hpp"

#include <libpq-fe.h>

#include <array>
#include <charconv>
#include <stdexcept>

namespace postgres {

namespace {

[[noreturn]] void misread(const char* type) {
    throw std::logic_error(std::string("a column does not hold ") + type);
}

template <class Number>
bool parse_number(std::string_view text, Number& number) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    return error == std::errc{} && end == text.data() + text.size() && !text.empty();
}

/// `HH:MM:SS` with up to six decimals; any number of hour digits.
bool parse_clock(std::string_view text, std::chrono::microseconds& time) {
    const auto colon = text.find(':');
    if (colon == std::string_view::npos || text.size() < colon + 6 || text[colon + 3] != ':') return false;
    unsigned hours = 0, minutes = 0, seconds = 0;
    if (!parse_number(text.substr(0, colon), hours) || !parse_number(text.substr(colon + 1, 2), minutes) ||
        !parse_number(text.substr(colon + 4, 2), seconds))
        return false;
    time = std::chrono::hours(hours) + std::chrono::minutes(minutes) + std::chrono::seconds(seconds);

    std::string_view fraction = text.substr(colon + 6);
    if (fraction.empty()) return true;
    std::array<char, 6> digits{'0', '0', '0', '0', '0', '0'};
    if (fraction[0] != '.' || fraction.size() < 2 || fraction.size() > 1 + digits.size()) return false;
    fraction.substr(1).copy(digits.data(), digits.size());
    unsigned microseconds = 0;
    if (!parse_number(std::string_view(digits.data(), digits.size()), microseconds)) return false;
    time += std::chrono::microseconds(microseconds);
    return true;
}

}  // namespace

void FreeResult::operator()(pg_result* result) const noexcept {
    PQclear(result);
}

void decode(std::string_view text, std::string_view& value) {
    value = text;
}

void decode(std::string_view text, std::string& value) {
    value = text;
}

void decode(std::string_view text, bool& value) {
    if (text != "t" && text != "f") misread("a boolean");
    value = text == "t";
}

void decode(std::string_view text, std::int64_t& value) {
    if (!parse_number(text, value)) misread("a 64-bit integer");
}

void decode(std::string_view text, int& value) {
    if (!parse_number(text, value)) misread("an integer");
}

void decode(std::string_view text, double& value) {
    if (!parse_number(text, value)) misread("a number");
}

void decode(std::string_view text, domain::Uuid& value) {
    const auto uuid = domain::parse_uuid(text);
    if (!uuid) misread("a UUID");
    value = *uuid;
}

void decode(std::string_view text, domain::Date& value) {
    const auto date = domain::parse_date(text);
    if (!date) misread("a date");
    value = *date;
}

void decode(std::string_view text, domain::Instant& value) {
    constexpr std::size_t date_length = 10;
    std::chrono::microseconds time{};
    const auto date = domain::parse_date(text.substr(0, date_length));
    if (!date || !text.ends_with("+00") || text[date_length] != ' ' ||
        !parse_clock(text.substr(date_length + 1, text.size() - date_length - 4), time))
        misread("an instant");
    value = std::chrono::sys_days(*date) + time;
}

void decode(std::string_view text, std::chrono::microseconds& value) {
    value = {};
    if (const auto day = text.find(" day"); day != std::string_view::npos) {
        int days = 0;
        if (!parse_number(text.substr(0, day), days)) misread("an interval of days and time");
        value = std::chrono::days(days);
        const auto clock = text.find(' ', day + 1);
        if (clock == std::string_view::npos) return;
        text.remove_prefix(clock + 1);
    }
    const bool negative = text.starts_with('-');
    if (negative || text.starts_with('+')) text.remove_prefix(1);
    std::chrono::microseconds time{};
    if (!parse_clock(text, time)) misread("an interval of days and time");
    value += negative ? -time : time;
}

bool Row::is_null(int column) const {
    return PQgetisnull(result_, number_, column) != 0;
}

std::string_view Row::text(int column) const {
    if (column < 0 || column >= PQnfields(result_)) throw std::logic_error("a row has no such column");
    if (is_null(column)) throw std::logic_error("a column is NULL where it must not be");
    return {PQgetvalue(result_, number_, column),
            static_cast<std::size_t>(PQgetlength(result_, number_, column))};
}

Rows::Rows(Result result) : result_(std::move(result)) {}

int Rows::size() const {
    return PQntuples(result_.get());
}

int Rows::affected() const {
    int affected = 0;
    parse_number(std::string_view(PQcmdTuples(result_.get())), affected);
    return affected;
}

Row Rows::operator[](int number) const {
    if (number < 0 || number >= size()) throw std::logic_error("an answer has no such row");
    return {result_.get(), number};
}

}  // namespace postgres
