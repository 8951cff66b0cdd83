// To whom messages may go: patterns of e-mail addresses, for systems that must not write to everybody. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace domain {

class Allowlist {
public:
    /// Everybody is allowed.
    Allowlist() = default;

    /// `*@example.org,ada@example.com`: patterns of addresses, separated by commas, in which `*` stands for
    /// any run of characters. Nothing when a pattern is not `something@something` or holds a space.
    static std::optional<Allowlist> parse(std::string_view list);

    /// Whether a pattern matches all of the address, whatever the case of ASCII letters.
    bool allows(std::string_view email) const;

    bool allows_everybody() const { return patterns_.empty(); }

private:
    std::vector<std::string> patterns_;  // in lower case
};

}  // namespace domain
