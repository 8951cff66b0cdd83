// worker-svc: takes hints from the queue, claims the messages, delivers them to the provider, records the
// outcomes.

#include "libcore/runtime/command_line.hpp"
#include "libcore/runtime/log.hpp"
#include "libcore/runtime/ops_server.hpp"
#include "libcore/runtime/stop_signal.hpp"
#include "libcore/service/broker.hpp"
#include "libcore/service/database.hpp"
#include "libcore/service/pause_watch.hpp"
#include "libcore/service/process.hpp"
#include "services/worker/pipeline.hpp"
#include "services/worker/settings.hpp"

namespace {

int serve(worker::Settings settings, const runtime::Environment& environment) {
    runtime::log::Session log(settings.log);
    service::log_warnings(environment);
    runtime::StopSignal stop(settings.shutdown_grace);
    runtime::Registry registry("worker-svc");
    service::watch_broker(settings.broker, registry);
    postgres::Pool pool(settings.database, service::measure_database(registry));
    service::show_pool(registry, pool);
    if (!service::wait_for_database(pool, settings.app_env, stop.token())) return runtime::exit_ok;

    worker::Pipeline pipeline(settings, pool, registry);
    service::PauseWatch pause(pool, registry, [&](auto seen_at) { pipeline.recall(seen_at); });
    const runtime::OpsServer ops(
        settings.ops, {.registry = registry,
                       .stopping = stop.token(),
                       .checks = {service::database_check(pool),
                                  {"broker",
                                   [&] {
                                       return runtime::CheckResult{pipeline.connected(), "consumer"};
                                   }},
                                  pause.check()}});
    runtime::log::info(
        "worker-svc is up",
        {{"version", runtime::version()}, {"ops_port", ops.port()}, {"lanes", settings.lanes}});
    stop.wait();
    pipeline.stop();
    return runtime::exit_ok;
}

}  // namespace

int main(int argc, char** argv) {
    runtime::Environment environment;
    const worker::Settings settings = worker::read_settings(environment);
    const runtime::Program program{
        .name = "worker-svc", .summary = "Delivers messages to the e-mail provider.", .commands = {}};
    try {
        if (const auto code = runtime::handle_command_line(argc, argv, program, environment)) return *code;
        return serve(settings, environment);
    } catch (const std::exception& error) {
        runtime::log::fatal("worker-svc cannot go on", {{"reason", error.what()}});
        return runtime::exit_failure;
    }
}
