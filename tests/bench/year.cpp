// bench-year: a year of the whole system in minutes. The ledger's clock steps from one thing to the next,
// parts fail by the seed, and every delivery is compared with what must have become of it.

#include <chrono>
#include <iostream>

#include "tests/bench/cost.hpp"
#include "tests/bench/machine.hpp"
#include "tests/bench/postgres_server.hpp"
#include "tests/bench/report.hpp"
#include "tests/support/command_line.hpp"
#include "tests/support/year/judge.hpp"
#include "tests/support/year/simulation.hpp"

namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
}

/// A line a month.
class Calendar {
public:
    explicit Calendar(const bench::Report& report) : report_(report), start_(Clock::now()) {}

    void operator()(domain::Instant now) {
        const domain::Date today(std::chrono::floor<std::chrono::days>(now));
        if (today.month() == month_) return;
        month_ = today.month();
        report_.note(domain::to_string(today) + " after " +
                     std::to_string(static_cast<int>(seconds_since(start_))) + " s");
    }

private:
    const bench::Report& report_;
    const Clock::time_point start_;
    std::chrono::month month_{};
};

void count(std::size_t number, const char* metric, bench::Report& report) {
    report.add(metric, static_cast<double>(number), "count");
}

void show(const year::Verdict& verdict, bench::Report& report) {
    for (const auto& complaint : verdict.complaints) report.note(complaint);
    count(verdict.users, "users", report);
    count(verdict.steps, "steps", report);
    count(verdict.messages, "messages", report);
    count(verdict.delayed, "delayed", report);
    count(verdict.repeats, "repeats_explained", report);
    std::size_t missed = 0;
    for (const auto& [why, number] : verdict.missed) {
        missed += number;
        report.note(std::to_string(number) + " missed: " + why);
    }
    count(missed, "missed_explained", report);
    const auto fault = [&](const char* metric, std::size_t number) {
        report.count_fault(metric, static_cast<std::int64_t>(number));
    };
    fault("early", verdict.early);
    fault("lost", verdict.lost);
    fault("twice", verdict.twice);
    fault("misplaced", verdict.misplaced);
    fault("unexpected", verdict.unexpected);
    fault("wrong_text", verdict.wrong_text);
    fault("unexplained", verdict.unexplained);
    fault("restless_steps", verdict.restless);
    report.note("digest " + verdict.digest);
}

void run(const year::Options& options, bench::Report& report) {
    const auto world = year::make_world(options, year::zones_of_the_database());
    for (const auto& outage : world.outages) report.note(text(outage));
    count(world.changes.size(), "changes", report);
    const support::TestDatabase beside;
    auto connection = beside.connection();
    bench::Cost cost(connection, {{"postgres", bench::server_process(connection)}});
    const auto start = Clock::now();
    const auto record = year::live(world, Calendar(report));
    cost.report(report, "", options.days, "day");
    report.add("seconds", seconds_since(start), "s");
    report.add("planning_seconds", record.planning_seconds, "s");
    const auto judging = Clock::now();
    show(year::judge(world, record), report);
    report.add("judging_seconds", seconds_since(judging), "s");
}

}  // namespace

int main(int argc, char** argv) try {
    year::Options options;
    support::CommandLine line("A year of the whole system, compared with what must have become of it",
                              "bench-year");
    line.number("--users", options.users);
    line.number("--days", options.days, {}, {.least = 3, .most = 1000});
    line.number("--zones", options.zones, "at most");
    line.number("--seed", options.seed);
    if (const auto code = line.parse(argc, argv)) return *code;

    bench::Report report("year");
    report.note(bench::machine_state());
    run(options, report);
    return report.finish();
} catch (const std::exception& error) {
    std::cerr << "bench-year: " << error.what() << '\n';
    return 1;
}
