// Counts what went wrong with the database, by kind of error and where. Thread-safe, and quick: when
// everything goes wrong it is called for everything.
#pragma once

#include <prometheus/counter.h>

#include <map>
#include <mutex>
#include <string_view>
#include <utility>

#include "libcore/postgres/observation.hpp"
#include "libcore/runtime/metrics.hpp"

namespace service {

class DatabaseErrors {
public:
    /// The registry outlives it.
    explicit DatabaseErrors(runtime::Registry& registry);

    /// Of what has gone well, nothing.
    void count(const postgres::Observation& seen);

private:
    using Key = std::pair<std::string_view, std::string_view>;  ///< type, operation: constants

    prometheus::Counter& counter(const Key& key);

    runtime::Registry& registry_;
    std::mutex mutex_;
    std::map<Key, prometheus::Counter*> counters_;
};

}  // namespace service
