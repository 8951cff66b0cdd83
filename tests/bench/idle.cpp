// bench-idle: what one scheduler-svc and one worker-svc cost while nothing is due.

#include <chrono>
#include <iostream>
#include <thread>

#include "tests/bench/delivery_system.hpp"
#include "tests/bench/machine.hpp"
#include "tests/bench/postgres_server.hpp"
#include "tests/bench/report.hpp"
#include "tests/bench/system_calls.hpp"
#include "tests/support/command_line.hpp"

namespace {

using namespace std::chrono_literals;

struct Options {
    int seconds = 20;
    int runs = 3;
};

/// A minute's worth is told, however long it was watched.
double minutes(const Options& options) {
    return options.seconds / 60.0;
}

void watch(bench::DeliverySystem& system, const Options& options, bench::Report& report) {
    auto cost = system.cost();
    std::this_thread::sleep_for(std::chrono::seconds(options.seconds));
    cost.report(report, "", minutes(options), "minute");
}

void count_system_calls(bench::DeliverySystem& system, const Options& options, bench::Report& report) try {
    bench::SystemCalls scheduler(system.scheduler().process().pid());
    bench::SystemCalls worker(system.worker().process().pid());
    std::this_thread::sleep_for(std::chrono::seconds(options.seconds));
    bench::report_system_calls(report, "scheduler", scheduler.stop(), minutes(options), "minute");
    bench::report_system_calls(report, "worker", worker.stop(), minutes(options), "minute");
} catch (const bench::CannotTrace& error) {
    report.note(error.what());
}

}  // namespace

int main(int argc, char** argv) try {
    Options options;
    support::CommandLine line("One scheduler and one worker while nothing is due", "bench-idle");
    line.number("--seconds", options.seconds, "of each run");
    line.number("--runs", options.runs);
    if (const auto code = line.parse(argc, argv)) return *code;

    bench::Report report("idle");
    report.note(bench::machine_state());
    constexpr int lanes = 32;
    // Planned, and not due while the clock stands.
    bench::DeliverySystem system({.messages = 1'000}, lanes);
    std::this_thread::sleep_for(2s);  // past the start
    for (int i = 0; i < options.runs; ++i) watch(system, options, report);
    count_system_calls(system, options, report);
    report.count_fault("unclean_exits", system.stop() ? 0 : 1);
    return report.finish();
} catch (const std::exception& error) {
    std::cerr << "bench-idle: " << error.what() << '\n';
    return 1;
}
