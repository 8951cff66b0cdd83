#include "libcore/runtime/log.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <spdlog/async.h>
#include <spdlog/sinks/base_sink.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cmath>
#include <iterator>
#include <memory>
#include <mutex>

#include "libcore/runtime/json_text.hpp"
#include "libcore/runtime/stop_signal.hpp"

namespace runtime::log {
namespace {

// About 16 MB of lines at most: seconds of a stalled stdout at full rate.
constexpr std::size_t queue_lines = 32'768;

// OpenTelemetry keeps it beside the attributes.
constexpr std::string_view trace_id = "trace_id";

struct LevelName {
    Level level;
    std::string_view name;
    std::string_view severity;
    int number;  ///< OpenTelemetry's SeverityNumber
};

constexpr std::array level_names{
    LevelName{Level::debug, "debug", "DEBUG", 5}, LevelName{Level::info, "info", "INFO", 9},
    LevelName{Level::warn, "warn", "WARN", 13}, LevelName{Level::error, "error", "ERROR", 17},
    LevelName{Level::fatal, "fatal", "FATAL", 21}};

std::string_view severity(Level level) {
    return level_names[static_cast<std::size_t>(level)].severity;
}

int severity_number(Level level) {
    return level_names[static_cast<std::size_t>(level)].number;
}

/// One write(2) per line, so that lines of several processes on one pipe do not mix.
class StdoutSink : public spdlog::sinks::base_sink<std::mutex> {
protected:
    void sink_it_(const spdlog::details::log_msg& message) override {
        for (std::string_view rest(message.payload.data(), message.payload.size()); !rest.empty();) {
            const auto written = ::write(STDOUT_FILENO, rest.data(), rest.size());
            if (written < 0 && errno == EINTR) continue;
            if (written <= 0) return;
            rest.remove_prefix(static_cast<std::size_t>(written));
        }
    }
    void flush_() override {}
};

/// Where lines go. `queued` is missing outside a session; `direct` shares its sink, and with it the lock.
struct Outlet {
    Options options;
    std::shared_ptr<spdlog::logger> direct =
        std::make_shared<spdlog::logger>("direct", std::make_shared<StdoutSink>());
    std::shared_ptr<spdlog::details::thread_pool> threads;
    std::shared_ptr<spdlog::logger> queued;
};

Outlet& outlet() {
    static Outlet instance;
    return instance;
}

std::string process_instance() {
    std::array<char, 256> host{};
    if (::gethostname(host.data(), host.size() - 1) != 0) host[0] = '\0';
    return fmt::format("{}:{}", host.data(), ::getpid());
}

void append_value(std::string& line, const Value& value) {
    struct Append {
        std::string& line;
        void operator()(bool flag) const { line += flag ? "true" : "false"; }
        void operator()(std::int64_t number) const { fmt::format_to(std::back_inserter(line), "{}", number); }
        void operator()(double number) const {
            if (std::isfinite(number))
                fmt::format_to(std::back_inserter(line), "{}", number);
            else
                line += "null";
        }
        void operator()(std::string_view text) const { append_json_string(line, text); }
    };
    std::visit(Append{line}, value.content());
}

bool is_trace(const Attribute& attribute) {
    const auto* text = std::get_if<std::string_view>(&attribute.value.content());
    return attribute.name == trace_id && text && !text->empty();
}

std::string timestamp(std::chrono::system_clock::time_point at) {
    const auto micros = std::chrono::floor<std::chrono::microseconds>(at.time_since_epoch());
    const auto seconds = std::chrono::floor<std::chrono::seconds>(micros);
    return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:06}Z", fmt::gmtime(seconds.count()),
                       (micros - seconds).count());
}

std::string format_readable(std::chrono::system_clock::time_point at, Level level, std::string_view event,
                            Attributes attributes) {
    auto line = fmt::format("{:.12} {:<5} ", timestamp(at).substr(11), severity(level));
    append_json_string(line, event);
    for (const auto& attribute : attributes) {
        fmt::format_to(std::back_inserter(line), "  {}=", attribute.name);
        append_value(line, attribute.value);
    }
    return line += '\n';
}

void write(Level level, std::string_view event, Attributes attributes) {
    const auto& out = outlet();
    if (level < out.options.level) return;
    const auto now = std::chrono::system_clock::now();
    const auto line = out.options.readable ? format_readable(now, level, event, attributes)
                                           : format_line(now, level, out.options, event, attributes);
    auto& logger = out.queued && level < Level::error ? *out.queued : *out.direct;
    logger.log(spdlog::level::info, spdlog::string_view_t(line.data(), line.size()));
}

}  // namespace

void debug(std::string_view event, Attributes attributes) {
    write(Level::debug, event, attributes);
}
void info(std::string_view event, Attributes attributes) {
    write(Level::info, event, attributes);
}
void warn(std::string_view event, Attributes attributes) {
    write(Level::warn, event, attributes);
}
void error(std::string_view event, Attributes attributes) {
    write(Level::error, event, attributes);
}
void fatal(std::string_view event, Attributes attributes) {
    write(Level::fatal, event, attributes);
}

std::optional<Level> parse_level(std::string_view text) {
    for (const auto& candidate : level_names)
        if (candidate.name == text) return candidate.level;
    return std::nullopt;
}

Session::Session(const Options& options) {
    auto& out = outlet();
    out.options = options;
    if (out.options.instance.empty()) out.options.instance = process_instance();
    out.threads =
        std::make_shared<spdlog::details::thread_pool>(queue_lines, 1, [] { block_stop_signals(); });
    out.queued = std::make_shared<spdlog::async_logger>("queued", out.direct->sinks().front(), out.threads,
                                                        spdlog::async_overflow_policy::overrun_oldest);
}

Session::~Session() {
    auto& out = outlet();
    out.queued.reset();
    out.threads.reset();  // writes what is queued, then joins
}

std::uint64_t dropped_lines() {
    const auto threads = outlet().threads;
    return threads ? threads->overrun_counter() : 0;
}

std::optional<std::int64_t> RateLimit::pass(std::chrono::steady_clock::time_point now) {
    const auto tick = now.time_since_epoch().count();
    auto next = next_.load();
    const auto following = (now + interval_).time_since_epoch().count();
    if (tick < next || !next_.compare_exchange_strong(next, following)) {
        ++suppressed_;
        return std::nullopt;
    }
    return suppressed_.exchange(0);
}

std::string format_line(std::chrono::system_clock::time_point at, Level level, const Options& options,
                        std::string_view event, Attributes attributes) {
    std::string line;
    line.reserve(320);
    fmt::format_to(std::back_inserter(line),
                   R"({{"timestamp":"{}","severity_text":"{}","severity_number":{})", timestamp(at),
                   severity(level), severity_number(level));
    line += R"(,"resource":{"service.name":)";
    append_json_string(line, options.service);
    line += R"(,"service.instance.id":)";
    append_json_string(line, options.instance);
    line += '}';
    for (const auto& attribute : attributes) {
        if (!is_trace(attribute)) continue;
        line += R"(,"trace_id":)";
        append_value(line, attribute.value);
    }
    line += R"(,"body":)";
    append_json_string(line, event);
    line += R"(,"attributes":{)";
    for (const auto& attribute : attributes) {
        if (attribute.name == trace_id) continue;
        if (line.back() != '{') line += ',';
        append_json_string(line, attribute.name);
        line += ':';
        append_value(line, attribute.value);
    }
    return line += "}}\n";
}

}  // namespace runtime::log
