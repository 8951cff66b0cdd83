// Settings come from environment variables, read once at start. Every error is collected, so that an operator
// sees all of them at the first attempt; every value keeps its origin for `--print-config`.
#pragma once

#include <chrono>
#include <concepts>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace runtime {

using Variables = std::map<std::string, std::string, std::less<>>;

enum class AppEnv { production, staging, development };

/// What a setting is while no variable says it, and who says so then: "default", "preset wide".
template <class T>
struct Fallback {
    template <std::convertible_to<T> Value>
    Fallback(Value&& usual, std::string by = "default")
        : value(std::forward<Value>(usual)), origin(std::move(by)) {}

    T value;
    std::string origin;
};

/// One thread. Each reader records the setting under its name; a bad value is recorded as an error and the
/// fallback returned, so that reading can go on.
class Environment {
public:
    /// The variables of this process.
    Environment();
    explicit Environment(Variables variables);

    /// Other names of a setting, to be told before it is read. Whoever uses two for one must say the same.
    void alias(const std::string& name, std::vector<std::string> others);

    std::string text(const std::string& name, Fallback<std::string> fallback);
    std::string required_text(const std::string& name);
    int integer(const std::string& name, Fallback<int> fallback, int min, int max);
    double decimal(const std::string& name, double fallback, double min, double max);
    /// `26h`, `15m`, `10s`, `250ms`; a bare number is milliseconds, and seconds in NAME_SECS, which is
    /// another name of each.
    std::chrono::milliseconds duration(const std::string& name, Fallback<std::chrono::milliseconds> fallback,
                                       std::chrono::milliseconds min, std::chrono::milliseconds max);
    std::string choice(const std::string& name, Fallback<std::string> fallback,
                       const std::vector<std::string_view>& choices);
    /// `true`, `false`, `1`, `0`, `yes`, `no`, `on`, `off`.
    bool flag(const std::string& name, bool fallback);

    /// From NAME, or from the file that NAME_FILE names, without its last newline. Never shown.
    std::optional<std::string> secret(const std::string& name);
    std::string required_secret(const std::string& name);
    /// Like a secret, but only the password inside `scheme://user:password@host` is hidden when shown.
    std::optional<std::string> url(const std::string& name);
    std::string required_url(const std::string& name);

    /// `APP_ENV`, production when unset.
    AppEnv app_env();

    /// For rules between settings: reported with the others.
    void reject(const std::string& name, std::string_view reason);
    /// Not fatal: logged by the program once the log is open.
    void warn(const std::string& name, std::string_view reason);

    /// Each text names its variable and never repeats a secret.
    const std::vector<std::string>& errors() const { return errors_; }
    /// Also names variables that look like a misspelt setting. Ask when all settings have been read.
    std::vector<std::string> warnings() const;
    /// Aligned lines `NAME  value  origin`, in the order in which they were read.
    std::string table() const;

private:
    struct Setting {
        std::vector<std::string> names;  ///< its own, and those under which it can be given as well
        std::string shown;
        std::string origin;
    };

    static const std::string& name_of(const Setting& setting) { return setting.names.front(); }

    std::optional<std::string> find(const std::string& name) const;
    std::optional<std::string> read_secret_file(const std::string& name, const std::string& path);
    std::string required(const std::string& name, std::optional<std::string> value);
    void record(Setting setting);
    template <class T, class Parse>
    T parsed(const std::string& name, const Fallback<T>& fallback, const std::string& expected, Parse parse);
    template <class Mask>
    std::optional<std::string> confidential(const std::string& name, Mask mask);

    Variables variables_;
    std::map<std::string, std::vector<std::string>> aliases_;
    std::vector<Setting> settings_;
    std::vector<std::string> errors_;
    std::vector<std::string> warnings_;
};

/// `postgresql://user:***@host/db`, also for `password=` among the parameters; rather too much than too
/// little.
std::string mask_password(std::string_view url);

}  // namespace runtime
