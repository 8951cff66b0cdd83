// The command line of a benchmark, the sink or the demo: options that may be left out or must be there. Only
// its source knows CLI11, which takes longer to compile than most programs that use it.
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>

namespace CLI {
class App;
}

namespace support {

struct Range {
    std::int64_t least = 1;
    std::int64_t most = std::numeric_limits<int>::max();
};

class CommandLine {
public:
    CommandLine(const std::string& summary, const std::string& program);
    ~CommandLine();
    CommandLine(const CommandLine&) = delete;
    CommandLine& operator=(const CommandLine&) = delete;

    /// `--name`; what the variable holds before is the default.
    void number(const std::string& name, int& value, const std::string& help = {}, Range range = {});
    void number(const std::string& name, std::uint16_t& value, const std::string& help = {});
    void number(const std::string& name, std::uint64_t& value, const std::string& help = {},
                Range range = {.least = 0, .most = std::numeric_limits<std::int64_t>::max()});
    void text(const std::string& name, std::string& value, const std::string& help = {});
    void required_text(const std::string& name, std::string& value, const std::string& help);
    /// One flag, or several with a comma; one that begins with ! says no.
    void flag(const std::string& names, bool& value, const std::string& help);

    /// Fills the variables. An exit code if the program should end now: after --help, or a complaint.
    std::optional<int> parse(int argc, const char* const* argv);

private:
    std::unique_ptr<CLI::App> app_;
};

}  // namespace support
