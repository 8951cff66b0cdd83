// tidings-demo: two days of the whole system in two minutes, with a verdict that does not ask the system.

#include <clocale>
#include <iostream>

#include "tests/support/command_line.hpp"
#include "tests/support/demo/play.hpp"

int main(int argc, char** argv) {
    std::setlocale(LC_CTYPE, "C.UTF-8");
    demo::Options options;
    support::CommandLine line(
        "Two days of the whole system in two minutes: people in every time zone are greeted at nine.",
        "tidings-demo");
    line.required_text("--api", options.api, "http://127.0.0.1:PORT of api-svc");
    line.required_text("--api-key-file", options.api_key_file, "a file with a key that may create users");
    line.required_text("--database", options.database, "the services' database, whose clock the demo sets");
    line.required_text("--sink", options.sink, "http://127.0.0.1:PORT of the e-mail sink");
    line.number("--users", options.users, "how many people", {.least = 1, .most = 1'000'000});
    line.number("--hours", options.hours, "how much time passes", {.most = 24 * 60});
    line.number("--seconds", options.seconds, "in how much real time", {.most = 86'400});
    line.number("--seed", options.seed, "other people");
    if (const auto code = line.parse(argc, argv)) return *code;
    try {
        return demo::play(options);
    } catch (const std::exception& error) {
        std::cerr << "tidings-demo: " << error.what() << std::endl;
        return EXIT_FAILURE;
    }
}
