// bench-deliver: messages due at the same instant, or one after the other, from SCHEDULED to SENT by the
// whole system.

#include <algorithm>
#include <iostream>
#include <optional>

#include "tests/bench/bare_stages.hpp"
#include "tests/bench/delivery_system.hpp"
#include "tests/bench/machine.hpp"
#include "tests/bench/postgres_server.hpp"
#include "tests/bench/report.hpp"
#include "tests/bench/system_calls.hpp"
#include "tests/support/command_line.hpp"

namespace {

// Where the broker runs out of memory, it takes no more.
constexpr int most_unconsumed = 100'000;

struct Options {
    int messages = 20'000;
    int beside = 0;
    int rate = 0;
    int seconds = 60;
    int lanes = 32;
    int runs = 3;
    int traced_messages = 5'000;

    bench::Herd::Due due() const {
        if (rate == 0) return {.messages = messages};
        return {.messages = rate * seconds, .apart = std::chrono::microseconds(1'000'000 / rate)};
    }
};

/// What both services have in memory, once a tenth is delivered and at the end.
class MemoryGrowth {
public:
    MemoryGrowth(const bench::DeliverySystem& system, int messages) : system_(system), messages_(messages) {}

    void watch(std::int64_t emails) {
        if (!early_ && emails >= messages_ / 10) early_ = now();
    }

    void report(bench::Report& report) const {
        if (!early_) return;
        const auto end = now();
        report.add("rss.scheduler_growth", end.scheduler - early_->scheduler, "MB");
        report.add("rss.worker_growth", end.worker - early_->worker, "MB");
    }

private:
    struct Megabytes {
        double scheduler;
        double worker;
    };
    Megabytes now() const {
        return {bench::memory(system_.scheduler().process().pid()).now,
                bench::memory(system_.worker().process().pid()).now};
    }

    const bench::DeliverySystem& system_;
    const int messages_;
    std::optional<Megabytes> early_;
};

void show_ledger(bench::Report& report, bench::Herd& herd) {
    const double messages = herd.due().messages;
    const auto lateness = herd.lateness();
    report.add("lateness_p50", lateness.median, "s");
    report.add("lateness_p99", lateness.p99, "s");
    report.add("lateness_max", lateness.max, "s");
    const auto updates = herd.updates();
    report.add("row_versions_per_message", 1 + updates.count / messages, "versions");
    report.add("hot_ratio", updates.heap_only / updates.count, "ratio");
}

/// Adds what one run of the whole system shows, and gives messages a second.
double deliver(const bench::Herd::Due& due, int lanes, bench::Report& report) {
    bench::DeliverySystem system(due, lanes);
    const double messages = due.messages;
    bench::report_memory(report, "scheduler_idle", system.scheduler());
    bench::report_memory(report, "worker_idle", system.worker());
    auto cost = system.cost();
    MemoryGrowth growth(system, due.messages);
    const double rate = messages / system.deliver([&](std::int64_t emails) { growth.watch(emails); });
    cost.report(report, "", messages, "message");
    growth.report(report);
    bench::report_peak_memory(report, "scheduler_loaded", system.scheduler());
    bench::report_peak_memory(report, "worker_loaded", system.worker());
    report.count_fault("unclean_exits", system.stop() ? 0 : 1);

    const auto sent = system.sink().distinct_emails();
    report.count_fault("lost", std::max<std::int64_t>(due.messages - sent, system.herd().unsent()));
    report.count_fault("duplicates", system.sink().emails() - sent);
    report.add("messages_per_second", rate, "1/s");
    show_ledger(report, system.herd());
    // Each waits once, for its confirms. To be told the queue's depth takes a trip every 500 ms besides.
    report.add("batches_published", system.herd().batches() / messages, "1/message");
    return rate;
}

/// Once, with few messages: both services are many times slower when traced.
void count_system_calls(const Options& options, bench::Report& report) try {
    bench::DeliverySystem system({.messages = options.traced_messages}, options.lanes);
    bench::SystemCalls scheduler(system.scheduler().process().pid());
    bench::SystemCalls worker(system.worker().process().pid());
    system.deliver();
    bench::report_system_calls(report, "scheduler", scheduler.stop(), options.traced_messages, "message");
    bench::report_system_calls(report, "worker", worker.stop(), options.traced_messages, "message");
} catch (const bench::CannotTrace& error) {
    report.note(error.what());
}

double ledger_alone(int messages) {
    bench::Herd herd(messages);
    return bench::ledger_alone(herd, messages);
}

void run(const Options& options, bench::Report& report) {
    const double system = deliver(options.due(), options.lanes, report);
    if (options.rate > 0) return;
    const double ledger = ledger_alone(options.messages);
    const double publish = bench::publish_alone(std::min(options.messages, most_unconsumed));
    report.add("ledger_alone_per_second", ledger, "1/s");
    report.add("publish_alone_per_second", publish, "1/s");
    // As if one client did both, one after the other.
    report.add("ratio_to_bare_stages", system * (1 / ledger + 1 / publish), "ratio");
    if (options.beside == 0) return;
    bench::Report few("deliver");
    const double rate_of_few = deliver({.messages = options.beside}, options.lanes, few);
    report.add("messages_per_second_of_few", rate_of_few, "1/s");
    report.add("ratio_to_few", system / rate_of_few, "ratio");
    report.count_fault("faults_of_few", few.faults());
}

}  // namespace

int main(int argc, char** argv) try {
    Options options;
    support::CommandLine line("Messages delivered by the whole system", "bench-deliver");
    line.number("--messages", options.messages, "due at the same instant");
    line.number("--beside", options.beside, "so many in a run of their own, to compare the speed with",
                {.least = 0});
    line.number("--rate", options.rate, "messages due in a second, one after the other, instead of at once",
                {.least = 0, .most = 100'000});
    line.number("--seconds", options.seconds, "for so long");
    line.number("--lanes", options.lanes, "QUEUE_CONCURRENCY of the worker");
    line.number("--runs", options.runs);
    line.number("--traced-messages", options.traced_messages,
                "of a further run that counts system calls; 0 for none", {.least = 0});
    if (const auto code = line.parse(argc, argv)) return *code;

    const bool steady = options.rate > 0;
    bench::Report report(steady ? "deliver_steady" : "deliver");
    report.note(bench::machine_state());
    report.note(bench::durability());
    report.note(std::to_string(options.due().messages) + " messages, " +
                (steady ? std::to_string(options.rate) + " due in each second" : "due at the same instant") +
                ", 1 scheduler, 1 worker, QUEUE_CONCURRENCY=" + std::to_string(options.lanes));
    for (int i = 0; i < options.runs; ++i) run(options, report);
    if (!steady && options.traced_messages > 0) count_system_calls(options, report);
    return report.finish();
} catch (const std::exception& error) {
    std::cerr << "bench-deliver: " << error.what() << '\n';
    return 1;
}
