#include "libcore/runtime/settings.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <concepts>
#include <fstream>
#include <iterator>
#include <utility>

#include "libcore/runtime/spelling.hpp"

namespace runtime {
namespace {

constexpr std::string_view hidden = "***";

Variables process_environment() {
    Variables variables;
    for (char** entry = environ; *entry != nullptr; ++entry) {
        const std::string_view text(*entry);
        if (const auto equals = text.find('='); equals != std::string_view::npos)
            variables.emplace(text.substr(0, equals), text.substr(equals + 1));
    }
    return variables;
}

template <class Number>
std::optional<Number> parse_number(std::string_view text) {
    Number number{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return number;
}

struct Unit {
    std::string_view suffix;
    std::chrono::milliseconds length;
};

using namespace std::chrono_literals;
// `ms` stands before `m` and `s`, whose letters it shares; the empty suffix matches what is left.
constexpr std::array units{Unit{"ms", 1ms}, Unit{"h", 1h}, Unit{"m", 1min}, Unit{"s", 1s}, Unit{"", 0ms}};
constexpr std::string_view in_seconds = "_SECS";

std::optional<std::chrono::milliseconds> parse_duration(std::string_view text,
                                                        std::chrono::milliseconds bare_unit) {
    const auto unit = std::ranges::find_if(units, [&](const Unit& u) { return text.ends_with(u.suffix); });
    const auto count = parse_number<std::int32_t>(text.substr(0, text.size() - unit->suffix.size()));
    if (!count) return std::nullopt;
    return *count * (unit->suffix.empty() ? bare_unit : unit->length);
}

std::string show(const std::string& text) {
    return text;
}

std::string show(std::chrono::milliseconds duration) {
    for (const auto& unit : {units[1], units[2], units[3]})
        if (duration != 0ms && duration % unit.length == 0ms)
            return fmt::format("{}{}", duration / unit.length, unit.suffix);
    return fmt::format("{}ms", duration.count());
}

std::string show(bool value) {
    return value ? "true" : "false";
}

template <class Number>
std::string show(Number number) {
    return fmt::format("{}", number);
}

/// Turns a parsed number into the setting, or says which numbers it would take.
template <class T>
struct Bounds {
    T min;
    T max;

    std::optional<T> check(std::optional<T> value) const {
        return value && *value >= min && *value <= max ? value : std::nullopt;
    }
};

}  // namespace

Environment::Environment() : Environment(process_environment()) {}

Environment::Environment(Variables variables) : variables_(std::move(variables)) {}

/// A variable that is set to nothing counts as unset: Compose and Kubernetes pass absent values on that way.
std::optional<std::string> Environment::find(const std::string& name) const {
    const auto found = variables_.find(name);
    if (found == variables_.end() || found->second.empty()) return std::nullopt;
    return found->second;
}

void Environment::record(Setting setting) {
    if (std::ranges::find(settings_, setting.names[0], name_of) == settings_.end())
        settings_.push_back(std::move(setting));
}

void Environment::alias(const std::string& name, std::vector<std::string> others) {
    aliases_[name] = std::move(others);
}

void Environment::reject(const std::string& name, std::string_view reason) {
    auto error = fmt::format("{} {}", name, reason);
    if (std::ranges::find(errors_, error) == errors_.end()) errors_.push_back(std::move(error));
}

void Environment::warn(const std::string& name, std::string_view reason) {
    warnings_.push_back(fmt::format("{} {}", name, reason));
}

template <class T, class Parse>
T Environment::parsed(const std::string& name, const Fallback<T>& fallback, const std::string& expected,
                      Parse parse) {
    std::vector<std::string> names{name};
    if (const auto others = aliases_.find(name); others != aliases_.end())
        names.insert(names.end(), others->second.begin(), others->second.end());
    if constexpr (std::same_as<T, std::chrono::milliseconds>) names.push_back(name + std::string(in_seconds));

    std::optional<T> value;
    std::string said_by;
    std::string shown;
    for (const auto& each : names) {
        const auto text = find(each);
        if (!text) continue;
        const std::optional<T> read = parse(*text, each);
        if (!read) reject(each, fmt::format("must be {}, not \"{}\"", expected, *text));
        if (read && value && *read != *value)
            reject(said_by, fmt::format("and {} say different things: {} and {}", each, shown, show(*read)));
        if (!said_by.empty()) continue;
        value = read;
        said_by = each;
        shown = read ? show(*read) : *text;
    }
    const std::string origin = said_by.empty()   ? fallback.origin
                               : said_by == name ? "environment"
                                                 : "environment " + said_by;
    record({std::move(names), said_by.empty() ? show(fallback.value) : shown, origin});
    return value.value_or(fallback.value);
}

std::string Environment::text(const std::string& name, Fallback<std::string> fallback) {
    return parsed(name, fallback, "a text",
                  [](const std::string& text, const auto&) { return std::optional(text); });
}

std::string Environment::required_text(const std::string& name) {
    if (!find(name)) reject(name, "is required");
    return text(name, "");
}

int Environment::integer(const std::string& name, Fallback<int> fallback, int min, int max) {
    return parsed(name, fallback, fmt::format("a whole number from {} to {}", min, max),
                  [&](const std::string& text, const auto&) {
                      return Bounds<int>{min, max}.check(parse_number<int>(text));
                  });
}

double Environment::decimal(const std::string& name, double fallback, double min, double max) {
    return parsed(name, Fallback<double>(fallback), fmt::format("a number from {} to {}", min, max),
                  [&](const std::string& text, const auto&) {
                      return Bounds<double>{min, max}.check(parse_number<double>(text));
                  });
}

std::chrono::milliseconds Environment::duration(const std::string& name,
                                                Fallback<std::chrono::milliseconds> fallback,
                                                std::chrono::milliseconds min,
                                                std::chrono::milliseconds max) {
    return parsed(
        name, fallback,
        fmt::format("a duration from {} to {} (such as 26h, 15m, 10s, 250ms)", show(min), show(max)),
        [&](const std::string& text, const std::string& from) {
            const bool seconds = from != name && from.ends_with(in_seconds);
            return Bounds<std::chrono::milliseconds>{min, max}.check(
                parse_duration(text, seconds ? 1s : 1ms));
        });
}

std::string Environment::choice(const std::string& name, Fallback<std::string> fallback,
                                const std::vector<std::string_view>& choices) {
    return parsed(name, fallback, fmt::format("one of {}", fmt::join(choices, ", ")),
                  [&](const std::string& text, const auto&) -> std::optional<std::string> {
                      if (std::ranges::find(choices, text) == choices.end()) return std::nullopt;
                      return text;
                  });
}

bool Environment::flag(const std::string& name, bool fallback) {
    return parsed(name, Fallback<bool>(fallback), "true or false",
                  [](const std::string& text, const auto&) -> std::optional<bool> {
                      for (const auto word : {"true", "1", "yes", "on"})
                          if (text == word) return true;
                      for (const auto word : {"false", "0", "no", "off"})
                          if (text == word) return false;
                      return std::nullopt;
                  });
}

std::optional<std::string> Environment::read_secret_file(const std::string& name, const std::string& path) {
    std::ifstream file(path);
    if (!file) {
        reject(name, fmt::format("names a file that cannot be read: {}", path));
        return std::nullopt;
    }
    struct stat status {};
    if (::stat(path.c_str(), &status) == 0 && (status.st_mode & S_IROTH) != 0)
        warn(name, fmt::format("names a file that every user can read (mode {:04o}): {}",
                               status.st_mode & 07777u, path));
    std::string content(std::istreambuf_iterator<char>(file), {});
    if (content.ends_with('\n')) content.pop_back();
    if (content.ends_with('\r')) content.pop_back();
    if (content.empty()) reject(name, fmt::format("names an empty file: {}", path));
    return content;
}

template <class Mask>
std::optional<std::string> Environment::confidential(const std::string& name, Mask mask) {
    const auto file_variable = name + "_FILE";
    auto value = find(name);
    const auto path = find(file_variable);
    std::string origin = value ? "environment" : "default";
    if (value && path) {
        reject(name, fmt::format("and {} are both set", file_variable));
    } else if (path) {
        value = read_secret_file(file_variable, *path);
        origin = fmt::format("file {}", *path);
    }
    record({{name, file_variable}, value ? mask(*value) : "", std::move(origin)});
    return value;
}

std::optional<std::string> Environment::secret(const std::string& name) {
    return confidential(name, [](const std::string&) { return std::string(hidden); });
}

std::optional<std::string> Environment::url(const std::string& name) {
    return confidential(name, mask_password);
}

std::string Environment::required(const std::string& name, std::optional<std::string> value) {
    if (!value && !find(name + "_FILE")) reject(name, fmt::format("is required (or {}_FILE)", name));
    return std::move(value).value_or("");
}

std::string Environment::required_secret(const std::string& name) {
    return required(name, secret(name));
}

std::string Environment::required_url(const std::string& name) {
    return required(name, url(name));
}

AppEnv Environment::app_env() {
    const auto name = choice("APP_ENV", "production", {"production", "staging", "development"});
    if (name == "development") return AppEnv::development;
    return name == "staging" ? AppEnv::staging : AppEnv::production;
}

std::vector<std::string> Environment::warnings() const {
    std::vector<std::string_view> names;
    for (const auto& setting : settings_)
        names.insert(names.end(), setting.names.begin(), setting.names.end());
    auto warnings = warnings_;
    for (const auto& [name, value] : variables_) {
        const auto meant =
            std::ranges::find_if(names, [&](std::string_view setting) { return is_near(name, setting); });
        if (meant != names.end() && std::ranges::find(names, name) == names.end())
            warnings.push_back(fmt::format("{} is not a setting; is {} meant?", name, *meant));
    }
    return warnings;
}

std::string Environment::table() const {
    std::size_t name_width = 0;
    std::size_t value_width = 0;
    for (const auto& setting : settings_) {
        name_width = std::max(name_width, name_of(setting).size());
        value_width = std::max(value_width, setting.shown.size());
    }
    std::string table;
    for (const auto& setting : settings_)
        fmt::format_to(std::back_inserter(table), "{:<{}}  {:<{}}  {}\n", name_of(setting), name_width,
                       setting.shown, value_width, setting.origin);
    return table;
}

std::string mask_password(std::string_view url) {
    constexpr std::string_view parameter = "password=";  // sslpassword= as well
    std::string masked(url);
    for (auto at = masked.find(parameter); at != std::string::npos; at = masked.find(parameter, at + 1)) {
        const auto value = at + parameter.size();
        masked.replace(value, std::min(masked.find_first_of("& ", value), masked.size()) - value, hidden);
    }
    // Up to the last @ that is left: a password may contain a / or an @ that its author forgot to escape.
    const auto authority = masked.find("://");
    const auto at = masked.rfind('@');
    const auto colon = authority == std::string::npos ? authority : masked.find(':', authority + 3);
    if (at != std::string::npos && colon < at) masked.replace(colon + 1, at - colon - 1, hidden);
    return masked;
}

}  // namespace runtime
