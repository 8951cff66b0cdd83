// The answer to a statement: its rows, and how many rows it touched. Owns the bytes its rows point into.
#pragma once

#include <chrono>
#include <concepts>
#include <cstdint>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "libcore/domain/time.hpp"
#include "libcore/domain/uuid.hpp"
#include "libcore/postgres/parameters.hpp"

struct pg_result;

namespace postgres {

struct FreeResult {
    void operator()(pg_result* result) const noexcept;
};
using Result = std::unique_ptr<pg_result, FreeResult>;

/// Each reads the whole text of one value; another form is std::logic_error: the SQL and its reader disagree.
void decode(std::string_view text, std::string_view& value);
void decode(std::string_view text, std::string& value);
void decode(std::string_view text, bool& value);
void decode(std::string_view text, std::int64_t& value);
void decode(std::string_view text, int& value);
void decode(std::string_view text, double& value);
void decode(std::string_view text, domain::Uuid& value);
void decode(std::string_view text, domain::Date& value);
void decode(std::string_view text, domain::Instant& value);
/// An interval of days, hours, minutes and seconds; a day is 24 hours.
void decode(std::string_view text, std::chrono::microseconds& value);

/// One row; valid as long as its Rows.
class Row {
public:
    Row(const pg_result* result, int number) : result_(result), number_(number) {}

    /// Columns count from 0. A NULL that is not read as an optional is std::logic_error.
    /// A string_view is valid as long as the Rows.
    template <class T>
    T get(int column) const {
        if constexpr (is_optional<T>) {
            if (is_null(column)) return std::nullopt;
            return get<typename T::value_type>(column);
        } else {
            T value{};
            decode(text(column), value);
            return value;
        }
    }

    bool is_null(int column) const;

private:
    std::string_view text(int column) const;

    const pg_result* result_;
    int number_;
};

class Rows {
public:
    class Iterator {
    public:
        using iterator_category = std::input_iterator_tag;
        using value_type = Row;
        using difference_type = int;
        using pointer = void;
        using reference = Row;

        Iterator(const pg_result* result, int number) : result_(result), number_(number) {}
        Row operator*() const { return {result_, number_}; }
        Iterator& operator++() { return ++number_, *this; }
        friend bool operator==(const Iterator&, const Iterator&) = default;

    private:
        const pg_result* result_;
        int number_;
    };

    explicit Rows(Result result);

    int size() const;
    bool empty() const { return size() == 0; }
    /// Rows inserted, updated, deleted or selected.
    int affected() const;

    Iterator begin() const { return {result_.get(), 0}; }
    Iterator end() const { return {result_.get(), size()}; }
    Row operator[](int number) const;
    /// The first row; there must be one.
    Row front() const { return (*this)[0]; }

private:
    Result result_;
};

}  // namespace postgres
