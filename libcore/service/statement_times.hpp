// How long statements take: metrics by statement, the last thousand, and those that took long, with the types
// of their parameters and never a value. Thread-safe; counting takes no lock of its own.
#pragma once

#include <prometheus/counter.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <mutex>
#include <source_location>
#include <string>
#include <string_view>
#include <vector>

#include "libcore/postgres/observation.hpp"
#include "libcore/runtime/log.hpp"
#include "libcore/runtime/metrics.hpp"
#include "libcore/service/duration_window.hpp"

namespace service {

/// Below 50 ms, up to 100 ms, and from there on: those are kept.
enum class Speed { fast, usual, listed, slow, critical };
Speed speed_of(std::chrono::nanoseconds duration);
const char* to_string(Speed speed);

/// read, write, commit, script or ping.
std::string_view query_type_of(const postgres::Observation& seen);

/// "services/api/main.cpp:12"; empty if it is not known.
std::string to_string(const std::source_location& place);

class StatementTimes {
public:
    /// One that took more than 100 ms.
    struct Listed {
        std::chrono::system_clock::time_point at;
        std::string_view statement;
        std::chrono::nanoseconds duration;
        postgres::Observation::Outcome outcome;
        std::string_view parameters;
        std::source_location from;
    };

    /// A statement, as it was among the last thousand.
    struct Recent {
        std::string_view statement;
        std::string_view query_type;
        std::string_view parameters;
        std::source_location slowest_from;  ///< the slowest ever
        std::size_t count;
        std::chrono::nanoseconds mean, max;
    };

    struct Report {
        Percentiles window;
        std::array<std::size_t, 5> speeds{};  ///< by Speed, of the window
        std::vector<Recent> slowest;
        std::vector<Listed> listed;  ///< the newest first
    };

    static constexpr std::size_t most_listed = 100;

    /// Which outlives it.
    explicit StatementTimes(runtime::Registry& registry);

    void count(const postgres::Observation& seen);
    Report report(std::size_t top) const;
    Percentiles latest() const { return percentiles(window_); }

    /// Since the start.
    double all() const { return static_cast<double>(counted_.load(std::memory_order_relaxed)); }
    /// Of these, without scripts, for which nobody waits; from `listed` on.
    double awaited_at(Speed speed) const {
        return static_cast<double>(awaited_.at(static_cast<std::size_t>(speed)).load());
    }

private:
    struct Known {
        const char* key;
        std::string_view name;
        std::string_view query_type;
        std::string_view parameters;
        std::uint16_t tag;
        prometheus::Histogram* histogram;
        std::atomic<std::int64_t> slowest{-1};
        std::source_location slowest_from{};  ///< under the lock
    };

    Known& known(const postgres::Observation& seen);
    Known& get_to_know(const postgres::Observation& seen, std::size_t hash);
    void list(const postgres::Observation& seen, Speed speed);

    static constexpr std::size_t table_size = 1'024;  ///< several times the statements of a program

    runtime::Registry& registry_;
    prometheus::Histogram& transactions_;
    std::array<prometheus::Counter*, 5> by_speed_{};  ///< none for what is not listed
    runtime::log::RateLimit slow_logged_{std::chrono::seconds(1)};

    DurationWindow window_;
    std::atomic<std::uint64_t> counted_{0};
    std::array<std::atomic<std::uint64_t>, 5> awaited_{};
    std::array<std::atomic<Known*>, table_size> table_{};
    mutable std::mutex mutex_;  ///< of what follows
    std::deque<Known> known_;   ///< by tag
    std::deque<Listed> listed_;
};

}  // namespace service
