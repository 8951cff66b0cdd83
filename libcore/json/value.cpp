#include "libcore/json/value.hpp"

#include <algorithm>
#include <charconv>

namespace json {

namespace {

template <class T>
std::optional<T> converted(const std::string& text) {
    T number{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return number;
}

}  // namespace

std::optional<std::int64_t> Value::integer() const {
    const auto* number = std::get_if<Number>(&content_);
    return number == nullptr ? std::nullopt : converted<std::int64_t>(number->text);
}

std::optional<double> Value::real() const {
    const auto* number = std::get_if<Number>(&content_);
    return number == nullptr ? std::nullopt : converted<double>(number->text);
}

const Value* Value::find(std::string_view key) const {
    const auto* members = object();
    if (members == nullptr) return nullptr;
    const auto found = std::find_if(members->begin(), members->end(),
                                    [&](const Member& member) { return member.key == key; });
    return found == members->end() ? nullptr : &found->value;
}

}  // namespace json
