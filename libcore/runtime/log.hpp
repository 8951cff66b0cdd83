// JSON lines on stdout, one write per line, with OpenTelemetry's field names. Any thread may log. Never log
// personal data: ids only. Lines below error are queued and the oldest are dropped when stdout cannot keep
// up; errors are written before the call returns.
#pragma once

#include <atomic>
#include <chrono>
#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

namespace runtime::log {

enum class Level { debug, info, warn, error, fatal };

/// Borrows its text: valid during the call that it is an argument of.
class Value {
public:
    template <class T>
    requires std::same_as<T, bool> Value(T value) : content_(value) {}
    template <std::integral T>
    requires(!std::same_as<T, bool>) Value(T value) : content_(static_cast<std::int64_t>(value)) {}
    Value(double value) : content_(value) {}
    Value(const char* value) : content_(std::string_view(value)) {}
    Value(std::string_view value) : content_(value) {}
    Value(const std::string& value) : content_(std::string_view(value)) {}

    const std::variant<bool, std::int64_t, double, std::string_view>& content() const { return content_; }

private:
    std::variant<bool, std::int64_t, double, std::string_view> content_;
};

struct Attribute {
    std::string_view name;
    Value value;
};

using Attributes = std::initializer_list<Attribute>;

/// `log::info("dispatched a batch", {{"messages", 250}, {"queue", name}});`
void debug(std::string_view event, Attributes attributes = {});
void info(std::string_view event, Attributes attributes = {});
void warn(std::string_view event, Attributes attributes = {});
void error(std::string_view event, Attributes attributes = {});
void fatal(std::string_view event, Attributes attributes = {});

struct Options {
    std::string service = {};
    std::string instance = {};  ///< empty: host name and process id
    Level level = Level::info;
    bool readable = false;  ///< for a person at a terminal instead of JSON
};

/// "debug" … "fatal".
std::optional<Level> parse_level(std::string_view text);

/// The queue and its thread, from construction to destruction. Without one, lines are written directly.
/// One at a time; it is made before other threads log and destroyed after they have ended.
class Session {
public:
    explicit Session(const Options& options);
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;
    ~Session();
};

/// Lines dropped because the queue was full, since the session began.
std::uint64_t dropped_lines();

/// Lets one line through per interval, so that an outage does not fill the disk:
/// `if (const auto suppressed = limit.pass()) log::error("…", {{"suppressed", *suppressed}});`
class RateLimit {
public:
    explicit RateLimit(std::chrono::milliseconds interval) : interval_(interval) {}

    /// Nothing if the line should be left out, else how many were left out since the last one.
    std::optional<std::int64_t> pass(
        std::chrono::steady_clock::time_point now = std::chrono::steady_clock::now());

private:
    const std::chrono::milliseconds interval_;
    std::atomic<std::int64_t> next_{0};
    std::atomic<std::int64_t> suppressed_{0};
};

/// One JSON line (with its newline) as the log writes it.
std::string format_line(std::chrono::system_clock::time_point at, Level level, const Options& options,
                        std::string_view event, Attributes attributes);

}  // namespace runtime::log
