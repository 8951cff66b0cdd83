// scheduler-svc: plans the coming messages, dispatches the due ones, rescues what crashes left behind.

#include "libcore/runtime/command_line.hpp"
#include "libcore/runtime/log.hpp"
#include "libcore/runtime/loops.hpp"
#include "libcore/runtime/metrics.hpp"
#include "libcore/runtime/ops_server.hpp"
#include "libcore/runtime/periodic.hpp"
#include "libcore/runtime/stop_signal.hpp"
#include "libcore/service/broker.hpp"
#include "libcore/service/database_monitor.hpp"
#include "libcore/service/pause_watch.hpp"
#include "libcore/service/start_up.hpp"
#include "services/scheduler/commands.hpp"
#include "services/scheduler/dispatcher.hpp"
#include "services/scheduler/guardian.hpp"
#include "services/scheduler/housekeeper.hpp"
#include "services/scheduler/planner.hpp"
#include "services/scheduler/replanner.hpp"
#include "services/scheduler/rescuer.hpp"
#include "services/scheduler/settings.hpp"
#include "services/scheduler/zone_keeper.hpp"

namespace {

using runtime::CheckResult;

int serve(scheduler::Settings settings) {
    runtime::StopSignal stop(settings.shutdown_grace);
    runtime::Registry registry("scheduler-svc");
    runtime::Loops loops(registry, settings.stuck_after);
    const runtime::Check broker = service::watch_broker(settings.broker, registry);
    service::DatabaseMonitor database(registry, stop.token());
    postgres::Pool pool = database.open("main", settings.database);
    postgres::Pool housekeeping_pool = database.open("housekeeping", settings.housekeeping);
    const runtime::Periodic watching("database_monitor", loops, [&] { return database.look(); });
    service::PauseState pause(registry);

    scheduler::Guardian guardian(pool, registry);
    scheduler::Housekeeper housekeeper(housekeeping_pool, registry, settings.retention_months, stop.token());
    scheduler::Planner planner(pool, registry, settings.plan_horizon, stop.token());
    scheduler::Replanner replanner(pool, registry, stop.token());
    scheduler::Dispatcher dispatcher(pool, registry, settings.broker, settings.queue_high_water);
    scheduler::Rescuer rescuer(
        pool, registry,
        {.lease = settings.lease, .lost_after = settings.lost_after, .in_doubt = settings.in_doubt},
        [&] { return dispatcher.queue_is_shallow(); });
    scheduler::ZoneKeeper zone_keeper(settings.unpooled, registry, stop.token());
    const runtime::Check partitions{
        "partitions", [&] {
            const int ahead = guardian.partitions_ahead();
            return CheckResult{ahead >= 1, std::to_string(ahead) + " months ahead"};
        }};

    runtime::OpsServer ops(settings.ops, {.registry = registry,
                                          .stopping = stop.token(),
                                          .checks = {database.check(), broker, partitions, pause.check()},
                                          .alive = [&] { return loops.alive(); },
                                          .routes = database.routes()});
    runtime::log::info("starting", {{"version", runtime::version()}, {"ops_port", ops.port()}});
    if (!service::wait_for_database(pool, settings.app_env, settings.connection_budget, stop.token())) {
        return runtime::exit_ok;
    }

    runtime::Periodic guarding("guardian", loops, [&] { return guardian.run_once(); });
    runtime::Periodic housekeeping("housekeeper", loops, [&] { return housekeeper.run_once(); });
    runtime::Periodic planning("planner", loops, [&] { return planner.run_once(); });
    runtime::Periodic replanning("replanner", loops, [&] { return replanner.run_once(); });
    runtime::Periodic helping("second_dispatcher", loops, [&] { return dispatcher.help_once(); });
    runtime::Periodic dispatching("dispatcher", loops, [&] {
        const auto wait = dispatcher.run_once();
        if (dispatcher.behind()) helping.wake();
        return wait;
    });
    runtime::Periodic rescuing("rescuer", loops, [&] { return rescuer.run_once(); });
    runtime::Periodic zones("zone_keeper", loops, [&] { return zone_keeper.run_once(); });
    const service::PauseWatch pause_watch(pool, pause, loops, {}, [&] {
        housekeeping_pool.renew();
        zones.wake();
    });
    ops.started();
    runtime::log::info("planning, dispatching, rescuing");

    stop.wait();
    helping.stop();
    return runtime::exit_ok;
}

}  // namespace

int main(int argc, char** argv) {
    runtime::Environment environment;
    const scheduler::Settings settings = scheduler::read_settings(environment);
    const runtime::Program program{.name = "scheduler-svc",
                                   .summary = "Plans, dispatches and rescues messages.",
                                   .commands = scheduler::commands(settings),
                                   .log = settings.log,
                                   .serve = [&] { return serve(settings); }};
    return runtime::run(argc, argv, program, environment);
}
