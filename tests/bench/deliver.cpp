// bench-deliver: a herd of messages due at the same instant, from SCHEDULED to SENT, through one
// scheduler-svc, the broker, one worker-svc and the sink, each a process of its own.

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <iostream>

#include "tests/bench/bare_stages.hpp"
#include "tests/bench/cost.hpp"
#include "tests/bench/herd.hpp"
#include "tests/bench/machine.hpp"
#include "tests/bench/postgres_server.hpp"
#include "tests/bench/report.hpp"
#include "tests/bench/sink_process.hpp"
#include "tests/bench/system_calls.hpp"
#include "tests/support/amqp_fixture.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/process.hpp"

namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

struct Options {
    int messages = 20'000;
    int lanes = 32;
    int runs = 3;
    int traced_messages = 5'000;
};

/// Everything that delivers one herd.
class System {
public:
    System(int messages, int lanes)
        : messages_(messages),
          herd_(messages),
          scheduler_("scheduler-svc", environment()),
          worker_("worker-svc", environment({{"PROVIDER_URL", sink_.url()},
                                             {"QUEUE_CONCURRENCY", std::to_string(lanes)}})) {}

    bench::Herd& herd() { return herd_; }
    bench::SinkProcess& sink() { return sink_; }

    /// Seconds from the release to the moment when the last row is seen as SENT, or when patience ends.
    double deliver() {
        const auto start = Clock::now();
        herd_.release();
        support::eventually([this] { return sink_.emails() >= messages_; }, 60s + messages_ * 2ms);
        support::eventually([this] { return herd_.unsent() == 0; }, 60s);
        return std::chrono::duration<double>(Clock::now() - start).count();
    }

    bench::Cost cost() {
        return {herd_.connection(),
                {{"postgres", bench::server_process(herd_.connection())},
                 {"rabbitmq", bench::listener_on(broker_.settings().url.port)},
                 {"scheduler", scheduler_.process().pid()},
                 {"worker", worker_.process().pid()},
                 {"sink", sink_.pid()}},
                {{"scheduler", &scheduler_}, {"worker", &worker_}}};
    }

    const support::Service& scheduler() const { return scheduler_; }
    const support::Service& worker() const { return worker_; }

    /// Whether both services ended as they should.
    bool stop() { return scheduler_.stop() + worker_.stop() == 0; }

private:
    support::Environment environment(support::Environment more = {}) const {
        more.insert({{"APP_ENV", "development"},
                     {"LOG_LEVEL", "warn"},
                     {"DATABASE_URL", herd_.url()},
                     {"AMQP_URL", broker_.url()},
                     {"QUEUE_PREFIX", broker_.prefix()}});
        return more;
    }

    const int messages_;
    bench::Herd herd_;
    support::AmqpFixture broker_;
    bench::SinkProcess sink_;
    support::Service scheduler_;
    support::Service worker_;
};

void show_ledger(bench::Report& report, bench::Herd& herd, double messages) {
    const auto lateness = herd.lateness();
    report.add("lateness_p50", lateness.median, "s");
    report.add("lateness_p99", lateness.p99, "s");
    report.add("lateness_max", lateness.max, "s");
    const auto updates = herd.updates();
    report.add("row_versions_per_message", 1 + updates.count / messages, "versions");
    report.add("hot_ratio", updates.heap_only / updates.count, "ratio");
}

/// Adds what one run of the whole system shows, and gives messages a second.
double deliver(const Options& options, bench::Report& report) {
    System system(options.messages, options.lanes);
    const double messages = options.messages;
    bench::report_memory(report, "scheduler_idle", system.scheduler());
    bench::report_memory(report, "worker_idle", system.worker());
    auto cost = system.cost();
    const double rate = messages / system.deliver();
    cost.report(report, "", messages, "message");
    bench::report_peak_memory(report, "scheduler_loaded", system.scheduler());
    bench::report_peak_memory(report, "worker_loaded", system.worker());
    report.count_fault("unclean_exits", system.stop() ? 0 : 1);

    const auto sent = system.sink().distinct_emails();
    report.count_fault("lost", std::max<std::int64_t>(options.messages - sent, system.herd().unsent()));
    report.count_fault("duplicates", system.sink().emails() - sent);
    report.add("messages_per_second", rate, "1/s");
    show_ledger(report, system.herd(), messages);
    // Each waits once, for its confirms. To be told the queue's depth takes a trip every 500 ms besides.
    report.add("batches_published", system.herd().batches() / messages, "1/message");
    return rate;
}

/// Once, with few messages: both services are many times slower when traced.
void count_system_calls(const Options& options, bench::Report& report) try {
    System system(options.traced_messages, options.lanes);
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
    const double system = deliver(options, report);
    const double ledger = ledger_alone(options.messages);
    const double publish = bench::publish_alone(options.messages);
    report.add("ledger_alone_per_second", ledger, "1/s");
    report.add("publish_alone_per_second", publish, "1/s");
    // As if one client did both, one after the other.
    report.add("ratio_to_bare_stages", system * (1 / ledger + 1 / publish), "ratio");
}

}  // namespace

int main(int argc, char** argv) try {
    Options options;
    CLI::App app("Messages due at the same instant, delivered by the whole system", "bench-deliver");
    app.add_option("--messages", options.messages)->capture_default_str()->check(CLI::PositiveNumber);
    app.add_option("--lanes", options.lanes, "QUEUE_CONCURRENCY of the worker")->capture_default_str();
    app.add_option("--runs", options.runs)->capture_default_str()->check(CLI::PositiveNumber);
    app.add_option("--traced-messages", options.traced_messages,
                   "of a further run that counts system calls; 0 for none")
        ->capture_default_str()
        ->check(CLI::NonNegativeNumber);
    CLI11_PARSE(app, argc, argv);

    bench::Report report("deliver");
    report.note(bench::machine_state());
    report.note(bench::durability());
    report.note(std::to_string(options.messages) +
                " messages, 1 scheduler, 1 worker, QUEUE_CONCURRENCY=" + std::to_string(options.lanes));
    for (int i = 0; i < options.runs; ++i) run(options, report);
    if (options.traced_messages > 0) count_system_calls(options, report);
    return report.finish();
} catch (const std::exception& error) {
    std::cerr << "bench-deliver: " << error.what() << '\n';
    return 1;
}
