#include "tests/support/command_line.hpp"

#include <CLI/CLI.hpp>

namespace support {

CommandLine::CommandLine(const std::string& summary, const std::string& program)
    : app_(std::make_unique<CLI::App>(summary, program)) {}

CommandLine::~CommandLine() = default;

void CommandLine::number(const std::string& name, int& value, const std::string& help, Range range) {
    app_->add_option(name, value, help)->capture_default_str()->check(CLI::Range(range.least, range.most));
}

void CommandLine::number(const std::string& name, std::uint16_t& value, const std::string& help) {
    app_->add_option(name, value, help)->capture_default_str();
}

void CommandLine::number(const std::string& name, std::uint64_t& value, const std::string& help,
                         Range range) {
    app_->add_option(name, value, help)->capture_default_str()->check(CLI::Range(range.least, range.most));
}

void CommandLine::text(const std::string& name, std::string& value, const std::string& help) {
    app_->add_option(name, value, help)->capture_default_str();
}

void CommandLine::required_text(const std::string& name, std::string& value, const std::string& help) {
    app_->add_option(name, value, help)->required();
}

void CommandLine::flag(const std::string& names, bool& value, const std::string& help) {
    app_->add_flag(names, value, help);
}

std::optional<int> CommandLine::parse(int argc, const char* const* argv) {
    try {
        app_->parse(argc, argv);
        return std::nullopt;
    } catch (const CLI::ParseError& error) {
        return app_->exit(error);
    }
}

}  // namespace support
