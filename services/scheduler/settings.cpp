#include "services/scheduler/settings.hpp"

#include "libcore/service/broker.hpp"
#include "libcore/service/database_settings.hpp"
#include "libcore/service/process.hpp"

namespace scheduler {

using namespace std::chrono_literals;

Settings read_settings(runtime::Environment& environment) {
    Settings settings;
    settings.app_env = environment.app_env();
    settings.log = service::read_log_options(environment, "scheduler-svc");
    settings.database = service::read_database_settings(
        environment, settings.app_env,
        {.application = "scheduler-svc", .kind = service::PoolUser::loops, .size = {.max = 4, .min = 1}});
    // A plan cached while a partition was empty must not scan it once it is full.
    settings.database.connection.session = {{"enable_seqscan", "off"}, {"jit", "off"}};
    // Every pass may need one, and readiness can wait its turn.
    settings.database.reserve = 0;
    settings.housekeeping = settings.database;
    settings.housekeeping.max = 2;
    settings.housekeeping.min = 0;
    settings.unpooled = settings.database;
    settings.unpooled.connection =
        service::read_unpooled(environment, settings.app_env, settings.database.connection);
    settings.connection_budget = service::read_connection_budget(environment, {});
    settings.broker = service::read_broker_settings(environment, "scheduler-svc");
    settings.queue_high_water = environment.integer("QUEUE_HIGH_WATER", 10'000, 1, 1'000'000);
    // At most 26 hours: a change of a user plans 28 hours ahead, and the two must overlap.
    settings.plan_horizon = environment.duration("PLAN_HORIZON", 26h, 3h, 26h);
    settings.retention_months = environment.integer("RETENTION_MONTHS", 13, 0, 1'200);
    if (settings.retention_months == 1 || settings.retention_months == 2)
        environment.reject(
            "RETENTION_MONTHS",
            "must be 0, which keeps everything, or at least 3: planning looks two months back");
    settings.lease = service::read_lease(environment);
    settings.lost_after = environment.duration("QUEUE_LOST_AFTER", 15min, 1s, 24h);
    settings.in_doubt = service::read_in_doubt(environment);
    settings.ops = service::read_ops_settings(environment, 9101);
    settings.shutdown_grace = service::read_shutdown_grace(environment);
    settings.stuck_after = service::read_stuck_after(environment);
    return settings;
}

}  // namespace scheduler
