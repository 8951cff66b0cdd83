#include "tests/bench/cost.hpp"

#include <sstream>
#include <utility>

#include "tests/bench/machine.hpp"
#include "tests/bench/postgres_server.hpp"
#include "tests/support/http_client.hpp"

namespace bench {

namespace {

constexpr postgres::Statement count_commits{"count_commits", R"(
    SELECT coalesce(sum(calls), 0)::float8 FROM pg_stat_statements
    WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
      AND query IN ('COMMIT', 'ROLLBACK'))"};

}  // namespace

Cost::Cost(postgres::Connection& connection, Processes processes, Services services)
    : connection_(connection), processes_(std::move(processes)), services_(std::move(services)) {
    resume();
}

void Cost::pause() {
    if (!std::exchange(paused_, true)) add(counted_, so_far(), 1);
}

void Cost::resume() {
    if (std::exchange(paused_, false)) add(counted_, so_far(), -1);
}

void Cost::add(Spent& sum, const Spent& part, int sign) {
    sum.wal_bytes += sign * part.wal_bytes;
    sum.commits += sign * part.commits;
    for (const auto& [name, time] : part.microseconds) sum.microseconds[name] += sign * time;
    for (const auto& [name, count] : part.statements) sum.statements[name] += sign * count;
}

Cost::Spent Cost::so_far() {
    Spent spent;
    spent.wal_bytes = wal_position(connection_);
    for (const auto& [name, pid] : processes_)
        spent.microseconds[name] = std::chrono::duration<double, std::micro>(processor_time(pid)).count();
    for (const auto& [name, service] : services_)
        spent.statements[name] = metric_of(*service, "database_query_duration_seconds_count");
    if (!services_.empty()) {
        connection_.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements");
        spent.commits = connection_.run(count_commits).front().get<double>(0);
    }
    return spent;
}

void Cost::report(Report& report, const std::string& prefix, double count, const std::string& unit) {
    pause();
    for (const auto& [name, time] : counted_.microseconds)
        report.add(prefix + "cpu_" + name, time / count, "us/" + unit);
    report.add(prefix + "wal_bytes_per_" + unit, static_cast<double>(counted_.wal_bytes) / count, "B");
    if (services_.empty()) return;
    const double commits = counted_.commits / count;
    double round_trips = commits;
    for (const auto& [name, total] : counted_.statements) {
        report.add(prefix + "statements_" + name, total / count, "1/" + unit);
        round_trips += total / count;
    }
    report.add(prefix + "commits", commits, "1/" + unit);
    report.add(prefix + "round_trips_postgres", round_trips, "1/" + unit);
}

double metric_of(const support::Service& service, const std::string& name) {
    support::HttpClient client(service.ops_port());
    std::istringstream lines(client.request("GET", "/metrics").body);
    double sum = 0;
    for (std::string line; std::getline(lines, line);) {
        if (line.starts_with(name) && (line[name.size()] == '{' || line[name.size()] == ' '))
            sum += std::stod(line.substr(line.rfind(' ')));
    }
    return sum;
}

void report_memory(Report& report, const std::string& metric, const support::Service& service) {
    report.add("rss." + metric, memory(service.process().pid()).now, "MB");
}

void report_peak_memory(Report& report, const std::string& metric, const support::Service& service) {
    report.add("rss." + metric, memory(service.process().pid()).peak, "MB");
}

}  // namespace bench
