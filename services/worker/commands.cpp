#include "services/worker/commands.hpp"

#include <fmt/format.h>

#include <cstdio>

#include "libcore/json/writer.hpp"
#include "libcore/runtime/health.hpp"
#include "libcore/runtime/ops_client.hpp"

namespace worker {

namespace {

using namespace std::chrono_literals;

// Longer than the lanes are waited for, by two who ask at once.
constexpr auto patience = 3s;

std::string order(const runtime::Arguments& arguments) {
    const auto state = arguments.find("set");
    if (state == arguments.end()) return {};
    json::Writer body;
    body.begin_object().member("state", state->second);
    if (const auto length = arguments.find("for"); length != arguments.end())
        body.member("for", length->second);
    body.end_object();
    return body.take();
}

int circuit(const runtime::OpsServer::Settings& ops, const runtime::Arguments& arguments) {
    if (arguments.contains("for") && !arguments.contains("set")) {
        fmt::print(stderr, "--for needs --set\n");
        return runtime::exit_configuration;
    }
    const auto answer = runtime::ask_ops(ops, "/circuit", order(arguments), patience);
    if (!answer) {
        fmt::print(stderr, "no worker answers on port {} of this machine\n", ops.port);
        return runtime::exit_failure;
    }
    if (answer->status == 0) {
        fmt::print(stderr, "the worker does not answer{}\n",
                   arguments.contains("set") ? ", and may obey yet: ask again" : "");
        return runtime::exit_failure;
    }
    fmt::print(answer->status == 200 ? stdout : stderr, "{}\n", answer->body);
    if (answer->status == 200) return runtime::exit_ok;
    return answer->status == 400 ? runtime::exit_configuration : runtime::exit_failure;
}

}  // namespace

std::vector<runtime::Command> commands(const Settings& settings) {
    return {runtime::health_command(settings.ops),
            {.path = {"circuit"},
             .help = "Show the circuit of the worker on this machine's operations port, or hold it",
             .options = {{.name = "set", .help = "open or closed, --for some time; or auto: end that now"},
                         {.name = "for", .help = "from 1s to 24h, such as 10m"}},
             .run = [ops = settings.ops](const runtime::Arguments& arguments) {
                 return circuit(ops, arguments);
             }}};
}

}  // namespace worker
