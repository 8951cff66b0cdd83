#include "services/api/commands.hpp"

#include <fmt/format.h>

#include "libcore/postgres/migrator.hpp"
#include "libcore/runtime/health.hpp"
#include "services/api/key_commands.hpp"

namespace api {

namespace {

using runtime::Arguments;

int show_migrations(const Settings& settings) {
    for (const auto& state : postgres::migration_status(settings.unpooled)) {
        fmt::print("{:04}  {:<30}  {}\n", state.version, state.name,
                   state.applied_at ? domain::to_string(*state.applied_at) : "pending");
    }
    return runtime::exit_ok;
}

int migrate(const Settings& settings, const Arguments& arguments) {
    if (arguments.count("status") != 0) return show_migrations(settings);
    const auto report = postgres::migrate(settings.unpooled);
    for (const auto& name : report.applied) fmt::print("applied {}\n", name);
    fmt::print("the schema is at version {}\n", report.to);
    return runtime::exit_ok;
}

}  // namespace

runtime::Program program(const Settings& settings) {
    using Option = runtime::CommandOption;
    runtime::Program program{
        .name = "api-svc",
        .summary = "Users and their messages over HTTP.",
        .commands = key_commands(settings),
    };
    program.commands.insert(program.commands.begin(),
                            {{"migrate"},
                             "Bring the database to this program's schema.",
                             {{"status", "Only show what is applied and what is pending", Option::flag}},
                             [&](const Arguments& arguments) { return migrate(settings, arguments); }});
    program.commands.push_back(runtime::health_command(settings.ops));
    return program;
}

}  // namespace api
