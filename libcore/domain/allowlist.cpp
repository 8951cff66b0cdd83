#include "libcore/domain/allowlist.hpp"

#include <algorithm>

#include "libcore/domain/text.hpp"

namespace domain {

namespace {

bool is_pattern(std::string_view text) {
    const auto at = text.find('@');
    return at != std::string_view::npos && at > 0 && at + 1 < text.size() &&
           text.find('@', at + 1) == std::string_view::npos &&
           text.find_first_of(" \t\r\n") == std::string_view::npos;
}

/// In time proportional to the product of both lengths at worst: only the last star is ever moved.
bool matches(std::string_view pattern, std::string_view text) {
    std::size_t p = 0;
    std::size_t t = 0;
    std::size_t star = std::string_view::npos;
    std::size_t resume = 0;
    while (t < text.size()) {
        if (p < pattern.size() && pattern[p] == '*') {
            star = p++;
            resume = t;
        } else if (p < pattern.size() && pattern[p] == text[t]) {
            ++p;
            ++t;
        } else if (star != std::string_view::npos) {
            p = star + 1;
            t = ++resume;
        } else {
            return false;
        }
    }
    return pattern.find_first_not_of('*', p) == std::string_view::npos;
}

}  // namespace

std::optional<Allowlist> Allowlist::parse(std::string_view list) {
    Allowlist parsed;
    for (const auto pattern : split(list, ',')) {
        if (!is_pattern(pattern)) return std::nullopt;
        parsed.patterns_.push_back(lower_case(pattern));
    }
    return parsed;
}

bool Allowlist::allows(std::string_view email) const {
    if (allows_everybody()) return true;
    const auto address = lower_case(email);
    return std::any_of(patterns_.begin(), patterns_.end(),
                       [&](const std::string& pattern) { return matches(pattern, address); });
}

}  // namespace domain
