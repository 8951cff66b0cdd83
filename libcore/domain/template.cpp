#include "libcore/domain/template.hpp"

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "libcore/domain/text.hpp"
#include "libcore/domain/user.hpp"

namespace domain {

namespace {

constexpr std::size_t longest_template = 2000;
// Of a placeholder that is unknown, to be shown to whoever wrote it.
constexpr std::size_t longest_shown = 40;

/// As render() in the database knows them.
struct Placeholder {
    std::string_view name;
    std::size_t longest;  ///< what it becomes, in characters
};
constexpr std::array<Placeholder, 5> placeholders = {{{"{first_name}", longest_name},
                                                      {"{last_name}", longest_name},
                                                      {"{full_name}", longest_name + 1 + longest_name},
                                                      {"{years}", std::string_view("9999 years").size()},
                                                      {"{date}", std::string_view("2027-03-01").size()}}};

constexpr std::string_view known =
    "the placeholders are {first_name}, {last_name}, {full_name}, {years} and {date}";

const Placeholder* find_placeholder(std::string_view name) {
    const auto* const found = std::find_if(placeholders.begin(), placeholders.end(),
                                           [&](const Placeholder& p) { return p.name == name; });
    return found == placeholders.end() ? nullptr : found;
}

/// What the braces hold: "{name}" each, or what is left where a brace has no partner.
std::vector<std::string_view> braced(std::string_view text) {
    std::vector<std::string_view> parts;
    for (auto at = text.find_first_of("{}"); at != std::string_view::npos; at = text.find_first_of("{}")) {
        text.remove_prefix(at);
        const auto end = text.find_first_of("{}", 1);
        const bool closed = text[0] == '{' && end != std::string_view::npos && text[end] == '}';
        const auto size = closed ? end + 1 : 1;
        parts.push_back(text.substr(0, size));
        text.remove_prefix(size);
    }
    return parts;
}

bool can_be_shown(std::string_view part) {
    const auto plain = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
               c == '-' || c == ' ' || c == '{' || c == '}';
    };
    return part.size() > 1 && part.size() <= longest_shown && std::all_of(part.begin(), part.end(), plain);
}

bool is_blank(std::string_view text) {
    return text.find_first_not_of(" \t\r\n") == std::string_view::npos;
}

/// Line breaks and tabs may stand in a message; nothing else that is no character.
bool has_control(std::string_view text) {
    std::string lines(text);
    std::erase_if(lines, [](char c) { return c == '\n' || c == '\r' || c == '\t'; });
    return !is_line(lines);
}

}  // namespace

std::size_t longest_rendering(std::string_view text) {
    auto size = length(text);
    for (const auto part : braced(text)) {
        if (const auto* placeholder = find_placeholder(part)) size += placeholder->longest - part.size();
    }
    return size;
}

std::optional<Error> template_fault(const char* field, std::string_view text) {
    if (is_blank(text)) return Error{"required", field, "is required"};
    if (length(text) > longest_template)
        return Error{"too_long", field,
                     "must not be longer than " + std::to_string(longest_template) + " characters"};
    if (has_control(text))
        return Error{"invalid_characters", field,
                     "must not contain control characters but line breaks and tabs"};
    for (const auto part : braced(text)) {
        if (find_placeholder(part) != nullptr) continue;
        if (!can_be_shown(part))
            return Error{"invalid_template", field,
                         "has braces that hold no placeholder: " + std::string(known)};
        return Error{"unknown_placeholder", field,
                     "has the placeholder " + std::string(part) + ": " + std::string(known)};
    }
    if (longest_rendering(text) > longest_message) {
        return Error{"too_long", field,
                     "could be longer than " + std::to_string(longest_message) +
                         " characters for somebody with a long name: use fewer placeholders"};
    }
    return std::nullopt;
}

}  // namespace domain
