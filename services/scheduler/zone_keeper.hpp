// Sees to it that a change of time zone rules reaches what is planned: looks for one, lets every program make
// new connections, and moves the pending messages whose instant is another by the new rules. Several
// schedulers take turns.
#pragma once

#include <chrono>
#include <stop_token>
#include <string>
#include <vector>

#include "libcore/postgres/pool.hpp"
#include "libcore/postgres/zone_rules_table.hpp"
#include "libcore/runtime/metrics.hpp"

namespace scheduler {

/// For what reads every pending message, on sessions of its own that know no zone yet.
postgres::PoolSettings for_zones(postgres::PoolSettings settings);

/// "worker-svc (pid 4711), worker-svc (pid 4712), …".
std::string to_string(const std::vector<postgres::Session>& sessions);

class ZoneKeeper {
public:
    ZoneKeeper(const postgres::PoolSettings& database, runtime::Registry& registry, std::stop_token stop);

    std::chrono::milliseconds run_once();

private:
    using Clock = std::chrono::steady_clock;

    void look();
    void show_rules(const std::string& digest);
    void show_unknown(const postgres::UnknownZones& unknown);
    std::chrono::milliseconds work_on(int generation);
    enum class Pass { whole, interrupted, failed };
    Pass replan();

    const postgres::PoolSettings database_;
    const std::stop_token stop_;
    runtime::Registry& registry_;
    prometheus::Gauge& unsettled_;
    prometheus::Gauge& unknown_zones_;
    prometheus::Gauge& unknown_users_;
    prometheus::Counter& changes_;
    prometheus::Counter& moved_;
    prometheus::Gauge* rules_ = nullptr;
    std::string digest_;
    std::vector<std::string> unknown_;
    Clock::time_point look_at_{};
    int generation_ = 0;  ///< that is worked on
    Clock::time_point worked_on_since_{};
};

}  // namespace scheduler
