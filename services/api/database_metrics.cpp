#include "services/api/database_metrics.hpp"

#include <mutex>
#include <shared_mutex>
#include <unordered_map>

namespace api {

namespace {

using postgres::Observation;

/// The histograms of statements, made as their names turn up: names are constants of the program, so they are
/// few.
class StatementDurations {
public:
    explicit StatementDurations(runtime::Registry& registry) : registry_(registry) {}

    prometheus::Histogram& of(std::string_view name) {
        {
            const std::shared_lock lock(mutex_);
            if (const auto found = by_name_.find(name); found != by_name_.end()) return *found->second;
        }
        const std::unique_lock lock(mutex_);
        auto& histogram = registry_.histogram("database_query_duration_seconds",
                                              "Time from sending a statement to its last row.",
                                              {{"statement", std::string(name)}});
        by_name_.emplace(name, &histogram);
        return histogram;
    }

private:
    runtime::Registry& registry_;
    std::shared_mutex mutex_;
    std::unordered_map<std::string_view, prometheus::Histogram*> by_name_;
};

const char* error_type(Observation::Outcome outcome) {
    switch (outcome) {
        case Observation::Outcome::timed_out:
            return "timed_out";
        case Observation::Outcome::connection_lost:
            return "connection_lost";
        default:
            return "refused";
    }
}

}  // namespace

postgres::Observe observe_database(runtime::Registry& registry) {
    auto statements = std::make_shared<StatementDurations>(registry);
    auto& transaction =
        registry.histogram("database_transaction_duration_seconds", "Time from BEGIN to its end.");
    auto& acquire =
        registry.histogram("db_pool_acquire_duration_seconds", "Time until a connection was lent.");
    auto& connect = registry.histogram("db_pool_connect_duration_seconds", "Time to open a connection.");
    return [&registry, &transaction, &acquire, &connect, statements](const Observation& observation) {
        const auto seconds = std::chrono::duration<double>(observation.duration).count();
        switch (observation.kind) {
            case Observation::Kind::statement:
                statements->of(observation.name).Observe(seconds);
                break;
            case Observation::Kind::transaction:
                transaction.Observe(seconds);
                break;
            case Observation::Kind::acquire:
                acquire.Observe(seconds);
                break;
            case Observation::Kind::connect:
                connect.Observe(seconds);
                break;
        }
        if (observation.outcome != Observation::Outcome::done) {
            registry
                .counter(
                    "database_errors_total", "What went wrong with the database.",
                    {{"type", error_type(observation.outcome)}, {"operation", std::string(observation.name)}})
                .Increment();
        }
    };
}

void watch_pool(runtime::Registry& registry, const postgres::Pool& pool) {
    const auto watch = [&](const char* state, int postgres::PoolState::*count) {
        registry.sampled_gauge("db_pool_size", "Connections by state; waiting counts threads.",
                               {{"state", state}}, [&pool, count] { return pool.state().*count; });
    };
    watch("total", &postgres::PoolState::total);
    watch("idle", &postgres::PoolState::idle);
    watch("active", &postgres::PoolState::active);
    watch("waiting", &postgres::PoolState::waiting);
    registry.sampled_gauge("db_pool_max", "Connections the pool may open.", {},
                           [&pool] { return pool.state().max; });
    registry.sampled_gauge("db_pool_utilization_ratio", "Connections in use, of those the pool may open.", {},
                           [&pool] {
                               const auto state = pool.state();
                               return static_cast<double>(state.active) / state.max;
                           });
}

}  // namespace api
