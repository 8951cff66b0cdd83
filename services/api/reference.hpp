// What every request needs from the database and that rarely changes: keys, zone names, the date. Read in the
// background, so that requests cost no query for it; a revoked key is refused within seconds.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "libcore/postgres/pool.hpp"
#include "libcore/postgres/zones_table.hpp"
#include "libcore/runtime/log.hpp"
#include "libcore/runtime/loops.hpp"
#include "libcore/runtime/periodic.hpp"
#include "services/api/api_key.hpp"

namespace api {

class Zones {
public:
    explicit Zones(std::vector<postgres::ZoneName> names);

    /// The name that a zone is stored under, given its name in any case, or nothing.
    std::optional<std::string> canonical(std::string_view name) const;

private:
    std::unordered_map<std::string, std::string> by_lower_case_;
};

struct Snapshot {
    using Clock = std::chrono::steady_clock;

    std::vector<LiveKey> keys;
    bool keys_exist = false;  ///< a key that has ended counts
    std::shared_ptr<const Zones> zones;
    domain::Date latest_today;
    Clock::time_point read_at;
    Clock::time_point zones_read_at;
};

/// The snapshot is too old to decide from: the database has not answered for a while.
class StaleReference : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// Thread-safe. Owns the thread that reads.
class Reference {
public:
    /// Reads once before it returns; throws DatabaseError. Asks over the reserve: without it, a pool whose
    /// connections are all in use would refuse also those who come after.
    Reference(const postgres::Pool& pool, runtime::Loops& loops);

    /// Throws StaleReference.
    std::shared_ptr<const Snapshot> current() const;

    void note_use(const LiveKey& key);

    /// Zone names are read again with the next refresh. Any thread.
    void forget_zones() { zones_forgotten_ = true; }

private:
    std::chrono::milliseconds refresh();
    /// If it cannot be now, it is tried again after the next refresh.
    void record_use(std::set<std::string> prefixes);

    postgres::Pool pool_;
    mutable std::mutex mutex_;
    std::shared_ptr<const Snapshot> snapshot_;
    std::set<std::string> used_prefixes_;
    std::atomic<bool> zones_forgotten_{false};
    runtime::log::RateLimit use_logged_{std::chrono::seconds(10)};
    runtime::Periodic refresher_;
};

}  // namespace api
