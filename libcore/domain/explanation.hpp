// Why a message was sent, was not, or is not yet; or why there is none. Text for a person, a stable code and
// the facts for a program.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "libcore/domain/time.hpp"

namespace domain {

using FactValue = std::variant<std::string, std::int64_t, bool, Instant, Date>;

struct Fact {
    std::string name;  ///< as the API spells it: `lateBySeconds`
    FactValue value;

    friend bool operator==(const Fact&, const Fact&) = default;
};

struct Explanation {
    std::string code;  ///< stable: "missed"
    std::string text;  ///< sentences, instants in UTC
    std::vector<Fact> facts = {};

    Explanation& with(std::string name, FactValue value) {
        facts.push_back({std::move(name), std::move(value)});
        return *this;
    }
    /// Nothing is added when there is nothing.
    template <class T>
    Explanation& with_if(std::string name, const std::optional<T>& value) {
        return value ? with(std::move(name), FactValue(*value)) : *this;
    }
    Explanation& say(std::string_view sentence) {
        text += (text.empty() ? "" : " ") + std::string(sentence);
        return *this;
    }
};

/// An instant without its fraction, "2027-02-28T09:00:00Z".
std::string spoken(Instant instant);

/// The two largest units of a duration, "2 d 3 h", "1 min 5 s"; less than a second is "less than 1 s".
std::string spoken(std::chrono::microseconds duration);

}  // namespace domain
