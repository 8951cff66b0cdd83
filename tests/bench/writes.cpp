// bench-writes: how long a change of a user takes beside planners who plan just these users, and beside as
// many sessions that only compute: the difference is what it waits for their locks.

#include <atomic>
#include <chrono>
#include <iostream>
#include <random>
#include <thread>

#include "libcore/postgres/plan_table.hpp"
#include "libcore/postgres/users_table.hpp"
#include "tests/bench/machine.hpp"
#include "tests/bench/postgres_server.hpp"
#include "tests/bench/report.hpp"
#include "tests/support/command_line.hpp"

namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr auto horizon = 26h;
constexpr auto pause = 5ms;  // of a client, between two changes

// More than there are planners, and few enough that each has many chunks.
const std::vector<std::string> zones{
    "Africa/Cairo",     "Africa/Lagos",      "America/Bogota",  "America/Chicago",
    "America/New_York", "America/Sao_Paulo", "Asia/Dhaka",      "Asia/Jakarta",
    "Asia/Karachi",     "Asia/Kolkata",      "Asia/Manila",     "Asia/Shanghai",
    "Asia/Tokyo",       "Europe/Berlin",     "Europe/Istanbul", "Europe/London"};

constexpr postgres::Statement some_users{"some_users",
                                         "SELECT id FROM users TABLESAMPLE SYSTEM (5) LIMIT 10000"};

constexpr const char* other_table =
    "CREATE TABLE others (id uuid PRIMARY KEY, other uuid UNIQUE, at timestamptz, filler text); CREATE INDEX "
    "ON others (at)";

// As the planner does, about so many rows in a transaction, which does not wait for the disk.
constexpr postgres::Statement fill{"fill", R"(
    WITH asynchronous AS MATERIALIZED (SELECT set_config('synchronous_commit', 'off', true))
    INSERT INTO others SELECT uuid_v7(), gen_random_uuid(), clock_timestamp(), repeat('x', 250)
    FROM asynchronous, generate_series(1, 1000))"};

struct Options {
    int users = 200'000;
    int clients = 2;
    int runs = 3;
};

/// Changes users until it is told to stop; how many milliseconds each took.
std::vector<double> change_users(postgres::Pool& pool, const std::vector<domain::Uuid>& ids, unsigned seed,
                                 const std::atomic<bool>& done) {
    std::minstd_rand random(seed);
    const auto one_of = [&](const auto& all) { return all[random() % all.size()]; };
    std::vector<double> took;
    while (!done) {
        const auto begin = Clock::now();
        postgres::change_user(pool, one_of(ids),
                              [&](domain::UserFields fields) -> domain::Result<domain::UserFields> {
                                  fields.timezone = one_of(zones);
                                  return fields;
                              });
        took.push_back(std::chrono::duration<double, std::milli>(Clock::now() - begin).count());
        std::this_thread::sleep_for(pause);
    }
    return took;
}

/// The clients change users while `work` runs in as many sessions as `others`.
template <class Work>
std::vector<double> beside(int others, const Options& options, const support::TestDatabase& database,
                           Work work) {
    auto settings = bench::service_pool(database);
    settings.max = others + options.clients;
    postgres::Pool pool(settings);
    std::vector<domain::Uuid> ids;
    for (const auto row : pool.run(some_users)) ids.push_back(row.get<domain::Uuid>(0));

    std::atomic<bool> done = false;
    std::vector<std::vector<double>> took(static_cast<std::size_t>(options.clients));
    {
        std::vector<std::jthread> clients;
        for (std::size_t i = 0; i < took.size(); ++i)
            clients.emplace_back(
                [&, i] { took[i] = change_users(pool, ids, static_cast<unsigned>(i + 1), done); });
        {
            std::vector<std::jthread> sessions;
            for (int i = 0; i < others; ++i) sessions.emplace_back([&] { work(pool); });
        }
        done = true;
    }
    std::vector<double> all;
    for (const auto& one : took) all.insert(all.end(), one.begin(), one.end());
    return all;
}

void report_times(bench::Report& report, const std::string& where, std::vector<double>& took) {
    report.add("p50_beside_" + where, bench::percentile(took, 0.5), "ms");
    report.add("p99_beside_" + where, bench::percentile(took, 0.99), "ms");
    report.add("longest_beside_" + where, bench::percentile(took, 1), "ms");
    report.add("changes_beside_" + where, static_cast<double>(took.size()), "count");
}

void run(int planners, const Options& options, bench::Report& report) {
    const support::TestDatabase database;
    auto connection = bench::patient_connection(database);
    connection.execute("SELECT set_clock('2027-02-01T12:00:00Z', 0)");
    bench::add_unplanned_users(connection, options.users, "1990-03-15", zones);
    connection.execute("SELECT set_clock('2027-03-14T12:00:00Z', 0)");
    bench::use_zones(connection, zones);
    connection.execute("SELECT set_clock('2027-03-14T20:00:00Z', 0)");
    connection.execute(other_table);
    bench::add_other_messages(connection, 10'000);
    bench::settle(connection);

    const auto begin = Clock::now();
    auto beside_planners = beside(planners, options, database, [](postgres::Pool& pool) {
        postgres::ChunkSize chunk;
        for (auto units = postgres::units_due(pool, horizon); !units.empty();
             units = postgres::units_due(pool, horizon))
            for (const auto& unit : units) postgres::plan_unit(pool, unit, chunk);
    });
    const auto end = Clock::now() + (Clock::now() - begin);
    auto beside_others = beside(planners, options, database, [&](postgres::Pool& pool) {
        while (Clock::now() < end) pool.run(fill);
    });
    report_times(report, std::to_string(planners) + "_planners", beside_planners);
    report_times(report, std::to_string(planners) + "_others", beside_others);
}

}  // namespace

int main(int argc, char** argv) try {
    Options options;
    support::CommandLine line("Changes of users beside planners", "bench-writes");
    line.number("--users", options.users);
    line.number("--clients", options.clients);
    line.number("--runs", options.runs);
    if (const auto code = line.parse(argc, argv)) return *code;

    bench::Report report("writes");
    report.note(bench::machine_state());
    report.note(bench::durability());
    for (int i = 0; i < options.runs; ++i)
        for (const int planners : {2, 4, 8}) run(planners, options, report);
    return report.finish();
} catch (const std::exception& error) {
    std::cerr << "bench-writes: " << error.what() << '\n';
    return 1;
}
