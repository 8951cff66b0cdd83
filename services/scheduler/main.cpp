// scheduler-svc: plans the coming messages, dispatches the due ones, rescues what crashes left behind.

#include "libcore/runtime/command_line.hpp"
#include "libcore/runtime/log.hpp"
#include "libcore/runtime/metrics.hpp"
#include "libcore/runtime/ops_server.hpp"
#include "libcore/runtime/periodic.hpp"
#include "libcore/runtime/stop_signal.hpp"
#include "libcore/service/broker.hpp"
#include "libcore/service/database.hpp"
#include "libcore/service/pause_watch.hpp"
#include "services/scheduler/commands.hpp"
#include "services/scheduler/dispatcher.hpp"
#include "services/scheduler/guardian.hpp"
#include "services/scheduler/planner.hpp"
#include "services/scheduler/rescuer.hpp"
#include "services/scheduler/settings.hpp"

namespace {

using runtime::CheckResult;

int serve(scheduler::Settings settings) {
    runtime::log::Session log(settings.log);
    runtime::StopSignal stop(settings.shutdown_grace);
    runtime::Registry registry("scheduler-svc");
    service::watch_broker(settings.broker, registry);
    postgres::Pool pool(settings.database, service::measure_database(registry));
    service::show_pool(registry, pool);
    if (!service::wait_for_database(pool, settings.app_env, stop.token())) return runtime::exit_ok;

    scheduler::Guardian guardian(pool, registry);
    scheduler::Planner planner(pool, registry, settings.plan_horizon, stop.token());
    scheduler::Dispatcher dispatcher(pool, registry, settings.broker, settings.queue_high_water);
    scheduler::Rescuer rescuer(
        pool, registry,
        {.lease = settings.lease, .lost_after = settings.lost_after, .in_doubt = settings.in_doubt},
        [&] { return dispatcher.queue_is_shallow(); });

    service::PauseWatch pause(pool, registry);
    runtime::Periodic guarding("guardian", registry, [&] { return guardian.run_once(); });
    runtime::Periodic planning("planner", registry, [&] { return planner.run_once(); });
    runtime::Periodic dispatching("dispatcher", registry, [&] { return dispatcher.run_once(); });
    runtime::Periodic rescuing("rescuer", registry, [&] { return rescuer.run_once(); });

    const runtime::OpsServer ops(
        settings.ops, {.registry = registry,
                       .stopping = stop.token(),
                       .checks = {service::database_check(pool),
                                  {"broker",
                                   [&] {
                                       return CheckResult{dispatcher.connected(), "publisher"};
                                   }},
                                  {"partitions",
                                   [&] {
                                       return CheckResult{
                                           guardian.partitions_ahead() >= 1,
                                           std::to_string(guardian.partitions_ahead()) + " months ahead"};
                                   }},
                                  pause.check()}});
    runtime::log::info("scheduler-svc is up", {{"version", runtime::version()}, {"ops_port", ops.port()}});
    stop.wait();
    return runtime::exit_ok;
}

}  // namespace

int main(int argc, char** argv) {
    runtime::Environment environment;
    const scheduler::Settings settings = scheduler::read_settings(environment);
    const runtime::Program program{.name = "scheduler-svc",
                                   .summary = "Plans, dispatches and rescues messages.",
                                   .commands = scheduler::commands(settings)};
    try {
        if (const auto code = runtime::handle_command_line(argc, argv, program, environment)) return *code;
        return serve(settings);
    } catch (const std::exception& error) {
        runtime::log::fatal("scheduler-svc cannot go on", {{"reason", error.what()}});
        return runtime::exit_failure;
    }
}
