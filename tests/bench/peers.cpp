// bench-peers: the same messages to the same sink by Tidings and by job queues for Node.js, one after the
// other on the same servers.

#include <fmt/format.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <iostream>
#include <stdexcept>
#include <vector>

#include "tests/bench/delivery_system.hpp"
#include "tests/bench/machine.hpp"
#include "tests/bench/postgres_server.hpp"
#include "tests/bench/report.hpp"
#include "tests/support/command_line.hpp"
#include "tests/support/eventually.hpp"

namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

struct Options {
    int messages = 20'000;
    int lanes = 32;
    int runs = 3;
};

struct Peer {
    std::string name;    ///< of its metrics
    std::string script;  ///< empty: Tidings itself
    std::string promises;
};

const std::vector<Peer> peers{
    {"tidings", "",
     "durable commit of every step; each message once in the ledger, by its key for ever; retried by the "
     "answer's "
     "kind; a doubtful one is known as such; planned from users and their time zones, text and address made "
     "at sending"},
    {"graphile_worker", "graphile_worker.mjs",
     "durable commit; at least once: jobs locked by a dead worker come back after 4 h; a key is unique until "
     "its job "
     "is done; exponential retries, whatever the failure was"},
    {"pg_boss", "pg_boss.mjs",
     "durable commit; at least once: an expired job comes back (15 min); keys by queue policy, not used "
     "here; "
     "exponential retries, whatever the failure was"},
    {"bullmq", "bullmq.mjs",
     "Redis with appendonly=yes appendfsync=always, the most it can promise; at least once: a stalled job "
     "comes back "
     "(30 s); an id is unique until its job is removed; exponential retries, whatever the failure was"},
};

std::string setting(const char* name) {
    const char* value = std::getenv(name);
    if (!value) throw std::runtime_error(std::string(name) + " is not set: run this by ./dev bench peers");
    return value;
}

/// One peer's jobs in its own store, and the process that works on them.
class PeerSystem {
public:
    PeerSystem(const Peer& peer, const Options& options)
        : options_(options),
          connection_(bench::patient_connection(database_)),
          environment_{{"DATABASE_URL", database_.url()},
                       {"REDIS_URL", setting("TEST_REDIS_URL")},
                       {"SINK_URL", sink_.url()},
                       {"MESSAGES", std::to_string(options.messages)},
                       {"LANES", std::to_string(options.lanes)},
                       {"NODE_ENV", "production"}},
          script_(folder_ + "/" + peer.script),
          worker_(fill(), {script_, "work"}, environment_) {
        await("ready", 60s);
    }

    /// Messages a second, from the signal until every job is done in the peer's own store.
    double deliver() {
        const auto start = Clock::now();
        worker_.send_signal(SIGUSR2);
        const bool arrived =
            support::eventually([&] { return sink_.emails() >= options_.messages || !worker_.running(); },
                                60s + options_.messages * 10ms);
        if (!arrived || !worker_.running()) throw std::runtime_error("it did not end:\n" + worker_.log());
        worker_.send_signal(SIGUSR2);
        await("recorded", 60s);
        return options_.messages / std::chrono::duration<double>(Clock::now() - start).count();
    }

    bench::Cost cost() {
        return {connection_,
                {{"postgres", bench::server_process(connection_)},
                 {"redis", bench::listener_on(redis_port())},
                 {"node", worker_.pid()},
                 {"sink", sink_.pid()}}};
    }

    bench::SinkProcess& sink() { return sink_; }

    void stop() {
        worker_.send_signal(SIGTERM);
        worker_.wait_for_exit();
    }

private:
    /// Puts the jobs in, and gives the program to run.
    const std::string& fill() const {
        const auto filled = support::run(node_, {script_, "fill"}, environment_, 30min);
        if (filled.exit_code != 0) throw std::runtime_error("no jobs:\n" + filled.output);
        return node_;
    }

    void await(const char* word, std::chrono::seconds patience) {
        const bool said = support::eventually(
            [&] { return worker_.log().find(word) != std::string::npos || !worker_.running(); }, patience);
        if (!said || !worker_.running())
            throw std::runtime_error(std::string("not ") + word + ":\n" + worker_.log());
    }

    int redis_port() const {
        const auto& url = environment_.at("REDIS_URL");
        return std::stoi(url.substr(url.rfind(':') + 1));
    }

    const Options& options_;
    const std::string folder_ = setting("BENCH_PEERS");
    const std::string node_ = folder_ + "/node_modules/.bin/node";
    support::TestDatabase database_{support::TestDatabase::Content::nothing};
    postgres::Connection connection_;
    bench::SinkProcess sink_;
    const support::Environment environment_;
    const std::string script_;
    support::Process worker_;
};

void report_sink(bench::Report& report, const Peer& peer, bench::SinkProcess& sink, int messages) {
    const auto sent = sink.distinct_emails();
    report.count_fault(peer.name + "_lost", messages - sent);
    report.count_fault(peer.name + "_duplicates", sink.emails() - sent);
}

double run_tidings(const Peer& peer, const Options& options, bench::Report& report) {
    bench::DeliverySystem system({.messages = options.messages}, options.lanes);
    auto cost = system.cost();
    const double rate = options.messages / system.deliver();
    cost.report(report, peer.name + "_", options.messages, "message");
    report_sink(report, peer, system.sink(), options.messages);
    return rate;
}

double run_peer(const Peer& peer, const Options& options, bench::Report& report) {
    PeerSystem system(peer, options);
    auto cost = system.cost();
    const double rate = system.deliver();
    cost.report(report, peer.name + "_", options.messages, "message");
    report_sink(report, peer, system.sink(), options.messages);
    system.stop();
    return rate;
}

void run(const Options& options, bench::Report& report) {
    double ours = 0;
    for (const Peer& peer : peers) {
        const double rate =
            peer.script.empty() ? run_tidings(peer, options, report) : run_peer(peer, options, report);
        report.add(peer.name + "_messages_per_second", rate, "1/s");
        if (peer.script.empty()) {
            ours = rate;
        } else {
            report.add("ratio_to_" + peer.name, ours / rate, "ratio");
        }
    }
}

}  // namespace

int main(int argc, char** argv) try {
    Options options;
    support::CommandLine line("The same delivery by Tidings and by job queues for Node.js", "bench-peers");
    line.number("--messages", options.messages);
    line.number("--lanes", options.lanes, "requests to the provider at the same time",
                {.least = 4, .most = 1'000});
    line.number("--runs", options.runs);
    if (const auto code = line.parse(argc, argv)) return *code;

    bench::Report report("peers");
    report.note(bench::machine_state());
    report.note(bench::durability());
    report.note(
        fmt::format("{} messages that wait for it, {} requests at the same time, one process that sends",
                    options.messages, options.lanes));
    for (const Peer& peer : peers) report.note(fmt::format("{}: {}", peer.name, peer.promises));
    for (int i = 0; i < options.runs; ++i) run(options, report);
    return report.finish();
} catch (const std::exception& error) {
    std::cerr << "bench-peers: " << error.what() << '\n';
    return 1;
}
