// bench-dispatch: messages due at the same instant, from SCHEDULED to QUEUED by one scheduler-svc, and nobody
// who takes them; beside the bare publishing of as many hints and the bare UPDATE of as many rows.

#include <chrono>
#include <iostream>
#include <optional>
#include <thread>

#include "tests/bench/bare_stages.hpp"
#include "tests/bench/cost.hpp"
#include "tests/bench/herd.hpp"
#include "tests/bench/machine.hpp"
#include "tests/bench/postgres_server.hpp"
#include "tests/bench/report.hpp"
#include "tests/bench/system_calls.hpp"
#include "tests/support/amqp_fixture.hpp"
#include "tests/support/command_line.hpp"
#include "tests/support/process.hpp"

namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

struct Options {
    int messages = 50'000;
    bool old_snapshot = false;
    int runs = 3;
    int traced_messages = 5'000;
};

/// The whole of the queue's room is needed, as nobody takes a hint.
constexpr int largest_mark = 1'000'000;
constexpr int fifth_parts = 5;

class Dispatching {
public:
    explicit Dispatching(int messages)
        : herd_(messages),
          scheduler_("scheduler-svc", {{"APP_ENV", "development"},
                                       {"LOG_LEVEL", "warn"},
                                       {"DATABASE_URL", herd_.url()},
                                       {"AMQP_URL", broker_.url()},
                                       {"QUEUE_PREFIX", broker_.prefix()},
                                       {"QUEUE_HIGH_WATER", std::to_string(largest_mark)}}) {}

    /// Seconds until each fifth of them was committed.
    std::vector<double> dispatch() {
        std::vector<double> fifths;
        herd_.release();
        const auto start = Clock::now();
        const auto patience = start + 60s + herd_.due().messages * 1ms;
        while (fifths.size() < fifth_parts) {
            if (Clock::now() > patience) throw std::runtime_error("not everything was dispatched");
            std::this_thread::sleep_for(20ms);
            const double dispatched = bench::metric_of(scheduler_, "messages_dispatched_total");
            const auto reached = dispatched * fifth_parts / herd_.due().messages;
            while (static_cast<double>(fifths.size()) + 1 <= reached)
                fifths.push_back(std::chrono::duration<double>(Clock::now() - start).count());
        }
        return fifths;
    }

    bench::Cost cost() {
        return {herd_.connection(),
                {{"postgres", bench::server_process(herd_.connection())},
                 {"rabbitmq", bench::listener_on(broker_.settings().url.port)},
                 {"scheduler", scheduler_.process().pid()}},
                {{"scheduler", &scheduler_}}};
    }

    bench::Herd& herd() { return herd_; }
    support::Service& scheduler() { return scheduler_; }
    int in_queue() const {
        return static_cast<int>(broker_.ready(broker_.settings().topology.deliveries()).value_or(0));
    }

private:
    bench::Herd herd_;
    support::AmqpFixture broker_;
    support::Service scheduler_;
};

/// While it lives, no row version that it could see is cleared away: as beside a dump of the ledger.
class OldSnapshot {
public:
    explicit OldSnapshot(const support::TestDatabase& database)
        : connection_(bench::patient_connection(database)) {
        connection_.execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT FROM zones_in_use");
    }

private:
    postgres::Connection connection_;
};

/// Adds what one run shows, and gives messages a second.
double dispatch(const Options& options, bench::Report& report) {
    Dispatching dispatching(options.messages);
    const double messages = options.messages;
    std::optional<OldSnapshot> old;
    if (options.old_snapshot) old.emplace(dispatching.herd().database());
    auto cost = dispatching.cost();
    const auto fifths = dispatching.dispatch();
    cost.report(report, "", messages, "message");
    old.reset();
    const double rate = messages / fifths.back();
    report.add("messages_per_second", rate, "1/s");
    // What has been dispatched must not slow what is still due.
    report.add("ratio_of_last_fifth_to_first", fifths[0] / (fifths[4] - fifths[3]), "ratio");
    report.count_fault("lost", options.messages - dispatching.in_queue());
    report.count_fault("unclean_exits", dispatching.scheduler().stop() == 0 ? 0 : 1);
    const auto updates = dispatching.herd().updates();
    report.add("row_versions_per_message", 1 + updates.count / messages, "versions");
    report.add("hot_ratio", updates.heap_only / updates.count, "ratio");
    report.add("batches_published", dispatching.herd().batches() / messages, "1/message");
    return rate;
}

double update_alone(int messages) {
    bench::Herd herd(messages);
    return bench::update_alone(herd);
}

void run(const Options& options, bench::Report& report) {
    const double system = dispatch(options, report);
    const double update = update_alone(options.messages);
    const double publish = bench::publish_alone(options.messages);
    report.add("bare_update_per_second", update, "1/s");
    report.add("bare_publish_per_second", publish, "1/s");
    // As if one client did both, one after the other; a scheduler's two passes do them beside each other.
    report.add("ratio_to_limit", system * (1 / update + 1 / publish), "ratio");
}

void count_system_calls(const Options& options, bench::Report& report) try {
    Dispatching dispatching(options.traced_messages);
    bench::SystemCalls scheduler(dispatching.scheduler().process().pid());
    dispatching.dispatch();
    bench::report_system_calls(report, "scheduler", scheduler.stop(), options.traced_messages, "message");
} catch (const bench::CannotTrace& error) {
    report.note(error.what());
}

}  // namespace

int main(int argc, char** argv) try {
    Options options;
    support::CommandLine line("Messages due at the same instant, handed to the broker by one scheduler",
                              "bench-dispatch");
    line.number("--messages", options.messages, {}, {.least = fifth_parts, .most = largest_mark - 1'000});
    line.flag("--old-snapshot", options.old_snapshot, "beside a transaction that began before");
    line.number("--runs", options.runs);
    line.number("--traced-messages", options.traced_messages,
                "of a further run that counts system calls; 0 for none", {.least = 0});
    if (const auto code = line.parse(argc, argv)) return *code;

    bench::Report report("dispatch");
    report.note(bench::machine_state());
    report.note(bench::durability());
    report.note(std::to_string(options.messages) + " messages due at the same instant, 1 scheduler" +
                (options.old_snapshot ? ", beside an old snapshot" : ""));
    for (int i = 0; i < options.runs; ++i) run(options, report);
    if (options.traced_messages > 0) count_system_calls(options, report);
    return report.finish();
} catch (const std::exception& error) {
    std::cerr << "bench-dispatch: " << error.what() << '\n';
    return 1;
}
