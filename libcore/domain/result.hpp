// What a function returns when its input may be at fault: a value, or every error found in that input.
// A broken environment is an exception of its adapter, never one of these.
#pragma once

#include <algorithm>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace domain {

/// `code` is stable and machine-readable ("unknown_timezone"), `field` is the client's name for the offending
/// field (empty when the whole input is meant), `text` is for a person and never repeats the value, but for
/// the name of a placeholder.
struct Error {
    std::string code;
    std::string field;
    std::string text;

    friend bool operator==(const Error&, const Error&) = default;
};

using Errors = std::vector<Error>;

/// Adds what is wrong with a field, unless that field has an error already.
inline void add_once(Errors& errors, Error error) {
    const auto same = [&](const Error& other) { return other.field == error.field; };
    if (std::none_of(errors.begin(), errors.end(), same)) errors.push_back(std::move(error));
}

template <class T>
class [[nodiscard]] Result {
public:
    Result(T value) : content_(std::in_place_index<0>, std::move(value)) {}
    Result(Error error) : content_(std::in_place_index<1>, Errors{std::move(error)}) {}
    Result(Errors errors) : content_(std::in_place_index<1>, std::move(errors)) {}

    explicit operator bool() const { return content_.index() == 0; }

    const T& value() const& { return std::get<0>(content_); }
    T& value() & { return std::get<0>(content_); }
    T&& value() && { return std::get<0>(std::move(content_)); }
    const Errors& errors() const { return std::get<1>(content_); }

    const T& operator*() const& { return value(); }
    T& operator*() & { return value(); }
    const T* operator->() const { return &value(); }
    T* operator->() { return &value(); }

private:
    std::variant<T, Errors> content_;
};

}  // namespace domain
