#include "libcore/service/database.hpp"

#include <map>
#include <mutex>

#include "libcore/postgres/migrator.hpp"

namespace service {

namespace {

std::string_view to_string(postgres::Observation::Outcome outcome) {
    switch (outcome) {
        case postgres::Observation::Outcome::done:
            return "done";
        case postgres::Observation::Outcome::failed:
            return "failed";
        case postgres::Observation::Outcome::timed_out:
            return "timed_out";
        case postgres::Observation::Outcome::connection_lost:
            return "connection_lost";
    }
    std::abort();
}

// Histograms by statement and outcome, made at their first use: the statements are constants of the program,
// so there are few, and the lock is short.
class QueryTimes {
public:
    explicit QueryTimes(runtime::Registry& registry)
        : registry_(registry),
          acquire_(registry.histogram("db_pool_acquire_duration_seconds",
                                      "Time until a connection of the pool was lent")) {}

    void count(const postgres::Observation& seen) {
        const double seconds = std::chrono::duration<double>(seen.duration).count();
        switch (seen.kind) {
            case postgres::Observation::Kind::acquire:
                return acquire_.Observe(seconds);
            case postgres::Observation::Kind::statement:
                return of(seen).Observe(seconds);
            default:
                return;
        }
    }

private:
    prometheus::Histogram& of(const postgres::Observation& seen) {
        const std::lock_guard lock(mutex_);
        auto& histogram = times_[{seen.name, seen.outcome}];
        if (!histogram) {
            histogram = &registry_.histogram(
                "database_query_duration_seconds", "Time of one statement, as its caller saw it",
                {{"statement", std::string(seen.name)}, {"outcome", std::string(to_string(seen.outcome))}});
        }
        return *histogram;
    }

    runtime::Registry& registry_;
    prometheus::Histogram& acquire_;
    std::mutex mutex_;
    std::map<std::pair<std::string_view, postgres::Observation::Outcome>, prometheus::Histogram*> times_;
};

}  // namespace

postgres::Observe measure_database(runtime::Registry& registry) {
    return [times = std::make_shared<QueryTimes>(registry)](const postgres::Observation& seen) {
        times->count(seen);
    };
}

void show_pool(runtime::Registry& registry, const postgres::Pool& pool) {
    const auto show = [&](const char* state, int postgres::PoolState::*count) {
        registry.sampled_gauge("db_pool_size", "Connections of the pool, and threads waiting for one",
                               {{"state", state}}, [&pool, count] { return pool.state().*count; });
    };
    show("total", &postgres::PoolState::total);
    show("idle", &postgres::PoolState::idle);
    show("active", &postgres::PoolState::active);
    show("waiting", &postgres::PoolState::waiting);
    registry.sampled_gauge("db_pool_max", "Connections the pool may have", {},
                           [&pool] { return pool.state().max; });
}

runtime::Check database_check(const postgres::Pool& pool) {
    return {"database", [reserve = pool.reserved()]() mutable {
                postgres::check_schema(reserve);
                return runtime::CheckResult{};
            }};
}

}  // namespace service
