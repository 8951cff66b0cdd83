// api-svc: users and their messages over HTTP.

#include <exception>

#include "libcore/postgres/pool.hpp"
#include "libcore/runtime/command_line.hpp"
#include "libcore/runtime/http_server.hpp"
#include "libcore/runtime/log.hpp"
#include "libcore/runtime/ops_server.hpp"
#include "libcore/runtime/stop_signal.hpp"
#include "libcore/service/database.hpp"
#include "libcore/service/pause_watch.hpp"
#include "services/api/application.hpp"
#include "services/api/commands.hpp"
#include "services/api/settings.hpp"

namespace {

namespace log = runtime::log;

int serve(const api::Settings& settings) {
    const log::Session log_session(settings.log);
    const runtime::StopSignal stop(settings.grace);
    runtime::Registry registry("api-svc");

    postgres::Pool pool(settings.pool, service::measure_database(registry));
    service::show_pool(registry, pool);
    if (!service::wait_for_database(pool, settings.app_env, stop.token())) return runtime::exit_ok;
    api::Reference reference(pool, registry);
    if (settings.keys_required && reference.current()->keys.empty()) {
        log::fatal("no key configured: make one with 'api-svc keys create'");
        return runtime::exit_configuration;
    }

    service::PauseWatch pause(pool, registry);
    api::Application application(pool, reference, registry, settings.keys_required);
    runtime::HttpServer server(settings.http,
                               [&](const auto& request) { return application.handle(request); });
    runtime::OpsServer ops(settings.ops, {.registry = registry,
                                          .stopping = stop.token(),
                                          .checks = {service::database_check(pool), pause.check()}});
    log::info("serving", {{"port", server.port()}, {"ops_port", ops.port()}});

    stop.wait();
    log::info("draining", {{"in_flight", server.in_flight()}});
    server.stop();
    log::info("stopped");
    return runtime::exit_ok;
}

}  // namespace

int main(int argc, char** argv) {
    runtime::Environment environment;
    const auto settings = api::read_settings(environment);
    try {
        const auto ended = runtime::handle_command_line(argc, argv, api::program(settings), environment);
        return ended ? *ended : serve(settings);
    } catch (const std::exception& error) {
        log::fatal("api-svc cannot go on", {{"reason", error.what()}});
        return runtime::exit_failure;
    }
}
