#include "libcore/runtime/command_line.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>
#include <list>

#include "libcore/runtime/tzdata.hpp"

namespace runtime {
namespace {

/// A command of the program together with what CLI11 parsed for it.
struct ParsedCommand {
    const Command* command;
    const CLI::App* app;
    std::list<std::pair<const CommandOption*, std::string>> values;

    Arguments arguments() const {
        Arguments given;
        for (const auto& [option, value] : values)
            if (app->count("--" + option->name) > 0)
                given[option->name] = option->kind == CommandOption::flag ? "true" : value;
        return given;
    }
};

void add_command(CLI::App& root, const Command& command, std::list<ParsedCommand>& commands) {
    CLI::App* app = &root;
    for (const auto& word : command.path) {
        const auto known = app->get_subcommands([&](const CLI::App* sub) { return sub->get_name() == word; });
        app = known.empty() ? app->add_subcommand(word)->require_subcommand() : known.front();
    }
    app->description(command.help)->require_subcommand(0);
    auto& parsed = commands.emplace_back(ParsedCommand{&command, app, {}});
    for (const auto& option : command.options) {
        auto& value = parsed.values.emplace_back(&option, "").second;
        if (option.kind == CommandOption::flag)
            app->add_flag("--" + option.name, option.help);
        else
            app->add_option("--" + option.name, value, option.help)
                ->required(option.kind == CommandOption::required);
    }
}

int report(const Environment& environment) {
    for (const auto& warning : environment.warnings()) std::cerr << "warning: " << warning << '\n';
    for (const auto& error : environment.errors()) std::cerr << "error: " << error << '\n';
    return environment.errors().empty() ? exit_ok : exit_configuration;
}

}  // namespace

std::optional<int> handle_command_line(int argc, const char* const* argv, const Program& program,
                                       const Environment& environment) {
    CLI::App app(program.summary, program.name);
    app.footer(
        "Settings are environment variables; --print-config lists them.\n"
        "Exit codes: 0 ok, 1 failure at run time, 2 wrong settings or command line.");
    bool check = false;
    bool print = false;
    app.set_version_flag("--version", fmt::format("{} {} (commit {}, tzdata {})", program.name, version(),
                                                  commit(), tzdata_version()));
    app.add_flag("--check-config", check, "Say whether the settings are right, and exit");
    app.add_flag("--print-config", print, "Show every setting and where it comes from, and exit");
    std::list<ParsedCommand> commands;
    for (const auto& command : program.commands) add_command(app, command, commands);

    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? exit_ok : exit_configuration;
    }
    if (print) std::cout << environment.table();
    if (check || print) {
        const int configuration = report(environment);
        if (check && configuration == exit_ok) std::cout << "ok\n";
        return configuration;
    }
    const auto command = std::ranges::find_if(commands, [](const auto& c) { return c.app->parsed(); });
    if (command == commands.end() && environment.errors().empty()) return std::nullopt;
    if (command == commands.end())
        throw Misconfigured(fmt::format("{}", fmt::join(environment.errors(), "; ")));
    const int configuration = report(environment);
    return configuration == exit_ok ? command->command->run(command->arguments()) : configuration;
}

int run(int argc, const char* const* argv, const Program& program, const Environment& environment) {
    const log::Session session(program.log);
    const auto cannot_go_on = [&](const std::exception& error, int code) {
        log::fatal("cannot go on", {{"reason", error.what()}, {"exit_code", code}});
        return code;
    };
    try {
        if (const auto code = handle_command_line(argc, argv, program, environment)) return *code;
        for (const auto& warning : environment.warnings())
            log::warn("a setting looks wrong", {{"reason", warning}});
        return program.serve();
    } catch (const Misconfigured& error) {
        return cannot_go_on(error, exit_configuration);
    } catch (const std::exception& error) {
        return cannot_go_on(error, exit_failure);
    }
}

}  // namespace runtime
