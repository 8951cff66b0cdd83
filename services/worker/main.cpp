// worker-svc: takes hints from the queue, claims the messages, delivers them to the provider, records the
// outcomes.

#include <optional>
#include <utility>
#include <vector>

#include "libcore/runtime/command_line.hpp"
#include "libcore/runtime/log.hpp"
#include "libcore/runtime/loops.hpp"
#include "libcore/runtime/ops_server.hpp"
#include "libcore/runtime/periodic.hpp"
#include "libcore/runtime/stop_signal.hpp"
#include "libcore/service/broker.hpp"
#include "libcore/service/database_monitor.hpp"
#include "libcore/service/pause_watch.hpp"
#include "libcore/service/start_up.hpp"
#include "services/worker/circuit.hpp"
#include "services/worker/commands.hpp"
#include "services/worker/pipeline.hpp"
#include "services/worker/provider_rate.hpp"
#include "services/worker/settings.hpp"
#include "services/worker/test_sender.hpp"

namespace {

int serve(worker::Settings settings) {
    runtime::StopSignal stop(settings.shutdown_grace);
    runtime::Registry registry("worker-svc");
    runtime::Loops loops(registry, settings.stuck_after);
    const runtime::Check broker = service::watch_broker(settings.broker, registry);
    service::DatabaseMonitor database(registry, stop.token());
    postgres::Pool pool = database.open("main", settings.database);
    const runtime::Periodic watching("database_monitor", loops, [&] { return database.look(); });
    service::PauseState pause(registry);
    std::optional<worker::ProviderRate> rate;
    if (settings.rate.limit) rate.emplace(settings.rate, loops);
    worker::CircuitDesk circuit;
    std::vector<runtime::Check> checks{database.check(), broker, pause.check(), circuit.check()};
    if (rate) checks.push_back(rate->check());
    auto routes = database.routes();
    routes.push_back(circuit.route());
    runtime::OpsServer ops(settings.ops, {.registry = registry,
                                          .stopping = stop.token(),
                                          .checks = std::move(checks),
                                          .alive = [&] { return loops.alive(); },
                                          .routes = std::move(routes)});
    runtime::log::info("starting", {{"version", runtime::version()}, {"ops_port", ops.port()}});
    if (!service::wait_for_database(pool, settings.app_env, settings.connection_budget, stop.token())) {
        return runtime::exit_ok;
    }

    worker::Pipeline pipeline(settings, rate ? &*rate : nullptr, pool, loops);
    const worker::CircuitDesk::Service service(circuit,
                                               [&](const auto& order) { return pipeline.circuit(order); });
    worker::TestSender test_sender(settings, pool, registry);
    runtime::Periodic testing("test_sender", loops, [&] { return test_sender.run_once(); });
    const service::PauseWatch pause_watch(pool, pause, loops,
                                          [&](auto seen_at) { pipeline.recall(seen_at); });
    ops.started();
    runtime::log::info("delivering", {{"lanes", settings.lanes}});

    stop.wait();
    testing.stop();
    pipeline.stop();
    return runtime::exit_ok;
}

}  // namespace

int main(int argc, char** argv) {
    runtime::Environment environment;
    const worker::Settings settings = worker::read_settings(environment);
    const runtime::Program program{.name = "worker-svc",
                                   .summary = "Delivers messages to the e-mail provider.",
                                   .commands = worker::commands(settings),
                                   .log = settings.log,
                                   .serve = [&] { return serve(settings); }};
    return runtime::run(argc, argv, program, environment);
}
