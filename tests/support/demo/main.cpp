// tidings-demo: two days of the whole system in two minutes, with a verdict that does not ask the system.

#include <CLI/CLI.hpp>
#include <clocale>
#include <iostream>

#include "tests/support/demo/play.hpp"

namespace {

void add_options(CLI::App& app, demo::Options& options) {
    app.add_option("--api", options.api, "http://127.0.0.1:PORT of api-svc")->required();
    app.add_option("--api-key-file", options.api_key_file, "a file with a key that may create users")
        ->required();
    app.add_option("--database", options.database, "the services' database, whose clock the demo sets")
        ->required();
    app.add_option("--sink", options.sink, "http://127.0.0.1:PORT of the e-mail sink")->required();
    app.add_option("--users", options.users, "how many people")
        ->check(CLI::Range(1, 1'000'000))
        ->capture_default_str();
    app.add_option("--hours", options.hours, "how much time passes")
        ->check(CLI::Range(1, 24 * 60))
        ->capture_default_str();
    app.add_option("--seconds", options.seconds, "in how much real time")
        ->check(CLI::Range(1, 86'400))
        ->capture_default_str();
    app.add_option("--seed", options.seed, "other people")->capture_default_str();
}

}  // namespace

int main(int argc, char** argv) {
    std::setlocale(LC_CTYPE, "C.UTF-8");
    CLI::App app(
        "Two days of the whole system in two minutes: people in every time zone are greeted at nine.",
        "tidings-demo");
    demo::Options options;
    add_options(app, options);
    CLI11_PARSE(app, argc, argv);
    try {
        return demo::play(options);
    } catch (const std::exception& error) {
        std::cerr << "tidings-demo: " << error.what() << std::endl;
        return EXIT_FAILURE;
    }
}
