// api-svc: users and their messages over HTTP.

#include "libcore/postgres/pool.hpp"
#include "libcore/runtime/command_line.hpp"
#include "libcore/runtime/http_server.hpp"
#include "libcore/runtime/log.hpp"
#include "libcore/runtime/loops.hpp"
#include "libcore/runtime/ops_server.hpp"
#include "libcore/runtime/periodic.hpp"
#include "libcore/runtime/stop_signal.hpp"
#include "libcore/service/database_monitor.hpp"
#include "libcore/service/pause_watch.hpp"
#include "libcore/service/replicas.hpp"
#include "libcore/service/start_up.hpp"
#include "services/api/application.hpp"
#include "services/api/commands.hpp"
#include "services/api/settings.hpp"

namespace {

namespace log = runtime::log;

int serve(const api::Settings& settings) {
    const runtime::StopSignal stop(settings.grace);
    runtime::Registry registry("api-svc");
    runtime::Loops loops(registry, settings.stuck_after);
    service::DatabaseMonitor database(registry, stop.token());
    postgres::Pool pool = database.open("main", settings.pool);
    service::Replicas replicas(settings.replicas, pool, loops, database.opener());
    database.show_replicas([&] { return replicas.views(); });
    const runtime::Periodic watching("database_monitor", loops, [&] { return database.look(); });
    service::PauseState pause(registry);
    runtime::OpsServer ops(settings.ops, {.registry = registry,
                                          .stopping = stop.token(),
                                          .checks = {database.check(), pause.check()},
                                          .alive = [&] { return loops.alive(); },
                                          .routes = database.routes()});
    log::info("starting", {{"version", runtime::version()}, {"ops_port", ops.port()}});
    if (!service::wait_for_database(pool, settings.app_env, settings.connection_budget, stop.token())) {
        return runtime::exit_ok;
    }

    api::Reference reference(pool, loops);
    if (settings.door.keys_required && reference.current()->keys.empty()) {
        throw runtime::Misconfigured("no key configured: make one with 'api-svc keys create'");
    }
    api::Application application(pool, replicas, reference, registry, settings.door,
                                 settings.provider_key_life);
    runtime::HttpServer server(settings.http,
                               [&](const auto& request) { return application.handle(request); });
    const service::PauseWatch pause_watch(pool, pause, loops, {}, [&] {
        replicas.renew();
        reference.forget_zones();
    });
    ops.started();
    log::info("serving", {{"port", server.port()}});

    stop.wait();
    log::info("draining", {{"in_flight", server.in_flight()}});
    server.stop();
    log::info("stopped");
    return runtime::exit_ok;
}

}  // namespace

int main(int argc, char** argv) {
    runtime::Environment environment;
    const api::Settings settings = api::read_settings(environment);
    runtime::Program program = api::program(settings);
    program.log = settings.log;
    program.serve = [&] { return serve(settings); };
    return runtime::run(argc, argv, program, environment);
}
