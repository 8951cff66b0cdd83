// The options every program of Tidings has, and the subcommands it adds.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "libcore/runtime/log.hpp"
#include "libcore/runtime/settings.hpp"

namespace runtime {

/// What a process tells its supervisor. A second stop signal ends it with 130.
enum ExitCode : int {
    exit_ok = 0,
    exit_failure = 1,        ///< at run time: start it again
    exit_configuration = 2,  ///< settings or command line: starting it again changes nothing
};

/// A program that cannot work until somebody changes its settings or its surroundings; the text says which.
class Misconfigured : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// Options by name without dashes ("name"); a flag that was given is "true", an option not given is absent.
using Arguments = std::map<std::string, std::string>;

struct CommandOption {
    std::string name;
    std::string help;
    enum Kind { flag, optional, required } kind = optional;
};

struct Command {
    std::vector<std::string> path;  ///< {"keys", "create"}
    std::string help;
    std::vector<CommandOption> options = {};
    std::function<int(const Arguments&)> run;  ///< returns the exit code
};

struct Program {
    std::string name;
    std::string summary;
    std::vector<Command> commands = {};
    log::Options log = {};
    std::function<int()> serve = {};  ///< returns the exit code
};

/// All of main: the command line, then the service inside a log session. Whatever ends the program early is
/// one FATAL line; Misconfigured gives exit_configuration, any other exception exit_failure. `environment`
/// has been read by the caller.
int run(int argc, const char* const* argv, const Program& program, const Environment& environment);

/// Handles --help, --version, --check-config, --print-config and the commands: the exit code if the process
/// should end now, nothing if it should go on and serve. Throws Misconfigured when it should and the settings
/// are wrong.
std::optional<int> handle_command_line(int argc, const char* const* argv, const Program& program,
                                       const Environment& environment);

/// "0.1.0", and the commit it was built from ("unknown" outside a checkout).
std::string version();
std::string commit();

}  // namespace runtime
