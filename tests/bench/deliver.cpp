// bench-deliver: a herd of messages due at the same instant, from SCHEDULED to SENT, through one
// scheduler-svc, the broker, one worker-svc and the sink, each a process of its own.

#include <CLI/CLI.hpp>
#include <chrono>
#include <iostream>
#include <map>
#include <thread>

#include "libcore/json/parser.hpp"
#include "tests/bench/bare_stages.hpp"
#include "tests/bench/herd.hpp"
#include "tests/bench/machine.hpp"
#include "tests/bench/postgres_server.hpp"
#include "tests/bench/report.hpp"
#include "tests/support/amqp_fixture.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/http_client.hpp"
#include "tests/support/process.hpp"

namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;
using ProcessorTimes = std::map<std::string, double>;  // milliseconds, by process

struct Options {
    int messages = 20'000;
    int lanes = 32;
    int runs = 3;
};

/// The sink as its own process; naive, so that it counts what a careful provider would have hidden.
class Sink {
public:
    Sink()
        : port_(support::free_port()),
          process_("tidings-sink", {"--naive", "--port", std::to_string(port_)}, {}) {
        if (!support::eventually([this] { return answers(); }))
            throw std::runtime_error("no sink:\n" + process_.log());
    }

    std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
    pid_t pid() const { return process_.pid(); }

    std::int64_t count(const char* what) {
        const auto summary = json::parse(client_->request("GET", "/ledger/summary").body);
        return summary->find(what)->integer().value();
    }

private:
    bool answers() {
        try {
            client_.emplace(port_);
            return client_->request("GET", "/ledger/summary").status == 200;
        } catch (const std::runtime_error&) {
            return false;
        }
    }

    int port_;
    support::Process process_;
    std::optional<support::HttpClient> client_;
};

ProcessorTimes processor_times(const std::map<std::string, pid_t>& processes) {
    ProcessorTimes times;
    for (const auto& [name, pid] : processes)
        times[name] = std::chrono::duration<double, std::milli>(bench::processor_time(pid)).count();
    return times;
}

/// Adds everything that one run shows, and gives messages a second.
double deliver(const Options& options, bench::Report& report) {
    bench::Herd herd(options.messages);
    const support::AmqpFixture broker;
    Sink sink;
    const support::Environment common{{"APP_ENV", "development"},
                                      {"LOG_LEVEL", "warn"},
                                      {"DATABASE_URL", herd.url()},
                                      {"AMQP_URL", broker.url()},
                                      {"QUEUE_PREFIX", broker.prefix()}};
    auto of_worker = common;
    of_worker["PROVIDER_URL"] = sink.url();
    of_worker["QUEUE_CONCURRENCY"] = std::to_string(options.lanes);
    support::Service scheduler("scheduler-svc", common);
    support::Service worker("worker-svc", of_worker);

    const std::map<std::string, pid_t> processes{{"postgres", bench::server_process(herd.connection())},
                                                 {"rabbitmq", bench::listener_on(broker.settings().url.port)},
                                                 {"scheduler", scheduler.process().pid()},
                                                 {"worker", worker.process().pid()},
                                                 {"sink", sink.pid()}};
    const auto times_before = processor_times(processes);
    const auto wal_before = bench::wal_position(herd.connection());

    const auto start = Clock::now();
    herd.release();
    const auto patience = 60s + options.messages * 2ms;
    support::eventually([&] { return sink.count("delivered") >= options.messages; }, patience);
    support::eventually([&] { return herd.unsent() == 0; }, 60s);
    const double seconds = std::chrono::duration<double>(Clock::now() - start).count();

    const auto wal_after = bench::wal_position(herd.connection());
    auto times = processor_times(processes);
    const bool clean_end = scheduler.stop() == 0 && worker.stop() == 0;
    const double messages = options.messages;
    const double rate = messages / seconds;
    report.add("messages_per_second", rate, "1/s");
    report.count_fault("lost",
                       std::max<std::int64_t>(options.messages - sink.count("distinct_keys"), herd.unsent()));
    report.count_fault("duplicates", sink.count("delivered") - sink.count("distinct_keys"));
    report.count_fault("unclean_exits", clean_end ? 0 : 1);

    const auto lateness = herd.lateness();
    report.add("lateness_p50", lateness.median, "s");
    report.add("lateness_p99", lateness.p99, "s");
    report.add("lateness_max", lateness.max, "s");
    for (auto& [name, time] : times) {
        time -= times_before.at(name);
        report.add("cpu_" + name, time * 1000 / messages, "us/message");
    }
    const auto updates = herd.updates();
    report.add("wal_bytes_per_message", static_cast<double>(wal_after - wal_before) / messages, "B");
    report.add("row_versions_per_message", 1 + updates.count / messages, "versions");
    report.add("hot_ratio", updates.heap_only / updates.count, "ratio");
    return rate;
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
    // Both one after the other, on one processor, with nothing sent.
    report.add("ratio_to_bare_stages", system * (1 / ledger + 1 / publish), "ratio");
}

}  // namespace

int main(int argc, char** argv) try {
    Options options;
    CLI::App app("Messages due at the same instant, delivered by the whole system", "bench-deliver");
    app.add_option("--messages", options.messages)->capture_default_str()->check(CLI::PositiveNumber);
    app.add_option("--lanes", options.lanes, "QUEUE_CONCURRENCY of the worker")->capture_default_str();
    app.add_option("--runs", options.runs)->capture_default_str()->check(CLI::PositiveNumber);
    CLI11_PARSE(app, argc, argv);

    bench::Report report("deliver");
    report.note(bench::machine_state());
    report.note(bench::durability());
    report.note(std::to_string(options.messages) +
                " messages, 1 scheduler, 1 worker, QUEUE_CONCURRENCY=" + std::to_string(options.lanes));
    for (int i = 0; i < options.runs; ++i) run(options, report);
    return report.finish();
} catch (const std::exception& error) {
    std::cerr << "bench-deliver: " << error.what() << '\n';
    return 1;
}
