// What servers and services spend on a load: processor time, write-ahead log, round trips.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <string>

#include "libcore/postgres/pool.hpp"
#include "tests/bench/report.hpp"
#include "tests/support/process.hpp"

namespace bench {

/// Counts from its construction on, except what comes between `pause` and `resume`. Services and connection
/// outlive it.
class Cost {
public:
    using Processes = std::map<std::string, pid_t>;
    using Services = std::map<std::string, const support::Service*>;

    Cost(postgres::Connection& connection, Processes processes, Services services = {});

    void pause();
    void resume();

    /// Adds, for each of `count` units: `cpu_NAME` of each process, `wal_bytes`, and if there are services
    /// `statements_NAME`, `commits` and `round_trips_postgres`. `prefix` comes before each name.
    ///
    /// Services count their statements (database_query_duration_seconds); COMMIT is not among these, so it is
    /// counted by pg_stat_statements. BEGIN and PREPARE travel with the statement that follows: no trip of
    /// their own.
    void report(Report& report, const std::string& prefix, double count, const std::string& unit);

private:
    struct Spent {
        std::int64_t wal_bytes = 0;
        double commits = 0;
        std::map<std::string, double> microseconds;
        std::map<std::string, double> statements;
    };
    Spent so_far();
    static void add(Spent& sum, const Spent& part, int sign);

    postgres::Connection& connection_;
    const Processes processes_;
    const Services services_;
    Spent counted_;  ///< without what was spent since the last resume
    bool paused_ = true;
};

/// The sum of all values of a metric that the service shows, whatever their labels.
double metric_of(const support::Service& service, const std::string& name);

/// Adds `rss.SERVICE_idle` or the like, in MB: what the process has in memory now.
void report_memory(Report& report, const std::string& metric, const support::Service& service);
/// The most it has had since its start.
void report_peak_memory(Report& report, const std::string& metric, const support::Service& service);

}  // namespace bench
