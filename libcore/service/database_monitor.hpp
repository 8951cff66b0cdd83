// What every service needs of its database: pools that are seen, the answer to "can we work?", and what an
// operator may look at and change on the operations port. Outlives everything that borrows from its pools.
#pragma once

#include <chrono>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "libcore/json/writer.hpp"
#include "libcore/postgres/pool.hpp"
#include "libcore/runtime/log.hpp"
#include "libcore/runtime/metrics.hpp"
#include "libcore/runtime/ops_server.hpp"
#include "libcore/service/alerts.hpp"
#include "libcore/service/database_errors.hpp"
#include "libcore/service/database_health.hpp"
#include "libcore/service/lately.hpp"
#include "libcore/service/pool_command.hpp"
#include "libcore/service/pool_meter.hpp"
#include "libcore/service/statement_times.hpp"

namespace service {

/// Thread-safe, but for `open` and `show_replicas`, which come first.
class DatabaseMonitor {
public:
    using ReplicaViews = std::function<std::vector<ReplicaView>()>;

    /// Once stop is requested no pool is paused any more: a drain needs its connections.
    DatabaseMonitor(runtime::Registry& registry, std::stop_token stop);
    DatabaseMonitor(const DatabaseMonitor&) = delete;
    DatabaseMonitor& operator=(const DatabaseMonitor&) = delete;

    /// The service cannot work without the first.
    postgres::Pool open(const std::string& name, postgres::PoolSettings settings);
    /// The same, for others.
    auto opener() {
        return [this](const std::string& name, const postgres::PoolSettings& settings) {
            return open(name, settings);
        };
    }
    void show_replicas(ReplicaViews replicas) { replicas_ = std::move(replicas); }

    /// The database answers, and its schema fits this program. Asks over the reserve: a busy pool is no
    /// reason not to be ready.
    runtime::Check check();
    /// One look at everything; the next is due after what it returns.
    std::chrono::milliseconds look();

    std::vector<runtime::OpsRoute> routes();

private:
    using Clock = std::chrono::steady_clock;

    struct Watched {
        Watched(runtime::Registry& registry, const std::string& called)
            : name(called), meter(registry, called) {}

        const std::string name;
        PoolMeter meter;
        std::optional<postgres::Pool> pool = {};  ///< always there once it is open
        Lately exhausted{std::chrono::minutes(1)};
        Lately lost{std::chrono::minutes(1)};
        Lately created{std::chrono::seconds(10)};
    };

    /// Of the last check.
    struct Answer {
        std::optional<Clock::time_point> good_at{};  ///< the last good one
        bool good = false;
        std::optional<Clock::time_point> asked_at{};  ///< and not answered yet
        std::chrono::nanoseconds took{};
        std::string problem = "it has not been asked yet";
    };

    postgres::Observe observe(Watched& watched);
    DatabaseFacts facts(Clock::time_point now);
    void tell(const Health& health);

    runtime::Reply health(const runtime::Request& request) const;
    runtime::Reply everything() const;
    void write_health(json::Writer& writer, const Health& health, const Answer& answer) const;
    void write_pools(json::Writer& writer) const;
    void write_connections(json::Writer& writer) const;
    void write_queries(json::Writer& writer, std::size_t top) const;
    runtime::OpsRoute command_route(const char* path, PoolCommand::Kind kind);
    runtime::Reply answer(PoolCommand::Kind kind, std::string_view body);
    std::vector<Watched*> meant_by(PoolCommand::Kind kind, const PoolCommand& command);
    std::optional<domain::Error> carry_out(PoolCommand::Kind kind, const PoolCommand& command,
                                           Watched& watched);

    runtime::Registry& registry_;
    const std::stop_token stop_;
    StatementTimes statements_;
    DatabaseErrors errors_;
    prometheus::Gauge& score_;
    ReplicaViews replicas_;
    std::list<Watched> watched_;
    mutable std::mutex mutex_;  ///< of what follows
    Alerts alerts_;
    Health health_{.status = Health::Status::down, .score = 0};
    bool was_well_ = false;
    Answer answer_;
    const Clock::time_point began_ = Clock::now();
    Lately statements_lately_{std::chrono::minutes(1)};
    Lately slow_{std::chrono::minutes(1)};
    Lately critical_{std::chrono::minutes(1)};
    runtime::log::RateLimit health_logged_{std::chrono::seconds(10)};
    std::mutex command_;  ///< held while a command is carried out
    std::optional<std::stop_callback<std::function<void()>>> on_stop_;  // last: it uses all of the above
};

}  // namespace service
