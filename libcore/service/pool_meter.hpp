// What one pool does, as metrics, as windows of the last thousand, and as a history of its connections.
// Thread-safe.
#pragma once

#include <prometheus/counter.h>

#include <chrono>
#include <deque>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "libcore/postgres/observation.hpp"
#include "libcore/postgres/pool.hpp"
#include "libcore/runtime/metrics.hpp"
#include "libcore/service/duration_window.hpp"

namespace service {

/// A connection came, went, or did not come.
struct ConnectionEvent {
    std::chrono::system_clock::time_point at;
    std::string_view event;             ///< opened, closed, failed
    std::string reason;                 ///< why it was closed, or did not come
    int backend_pid;                    ///< 0 if there was none
    std::chrono::nanoseconds duration;  ///< that connecting took; the age of what was closed
};

class PoolMeter {
public:
    static constexpr std::size_t most_events = 100;

    /// The registry outlives it.
    PoolMeter(runtime::Registry& registry, std::string pool);

    /// Statements and transactions are none of its business.
    void count(const postgres::Observation& seen);

    Percentiles acquire() const { return percentiles(acquire_.window); }
    Percentiles use() const { return percentiles(use_.window); }
    Percentiles connect() const { return percentiles(connect_.window); }

    /// Since the start.
    double created() const { return created_.Value(); }
    double closed(std::string_view reason) const { return closed_.at(reason)->Value(); }
    std::map<std::string_view, double> closed() const;
    double timeouts() const { return timeouts_.Value(); }
    double exhausted() const { return exhausted_.Value(); }
    double leaks() const { return leaks_.Value(); }
    std::map<std::string_view, double> shed() const;
    /// Connections that broke, or did not come.
    double lost() const;

    /// The newest first.
    std::vector<ConnectionEvent> history() const;

private:
    struct Times {
        prometheus::Histogram& histogram;
        DurationWindow window{};

        void add(std::chrono::nanoseconds duration);
    };

    prometheus::Counter& counter(const char* name, const char* help, runtime::Labels labels = {}) const;
    prometheus::Histogram& histogram(const char* name, const char* help) const;
    void refused(std::string_view reason);
    void remember(const postgres::Observation& seen, std::string_view event, std::string reason);

    runtime::Registry& registry_;
    const std::string pool_;
    Times acquire_, use_, connect_;
    prometheus::Counter& created_;
    prometheus::Counter& failed_;
    prometheus::Counter& timeouts_;
    prometheus::Counter& exhausted_;
    prometheus::Counter& leaks_;
    std::map<std::string_view, prometheus::Counter*> closed_;  ///< by reason
    std::map<std::string_view, prometheus::Counter*> shed_;    ///< by reason
    mutable std::mutex mutex_;
    std::deque<ConnectionEvent> history_;
};

/// Gauges of the pool's state, read at each scrape: it outlives the last of them.
void show_pool(runtime::Registry& registry, const std::string& name, const postgres::Pool& pool);

}  // namespace service
