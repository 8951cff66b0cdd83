// bench-plan: users in every zone whose birthday comes within the horizon, planned unit by unit, beside a
// bare INSERT … SELECT of the same rows into another month's partition.

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <iostream>
#include <set>
#include <span>
#include <thread>

#include "libcore/postgres/plan_table.hpp"
#include "libcore/postgres/zones_table.hpp"
#include "tests/bench/cost.hpp"
#include "tests/bench/machine.hpp"
#include "tests/bench/postgres_server.hpp"
#include "tests/bench/report.hpp"
#include "tests/support/command_line.hpp"

namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr auto horizon = 26h;
constexpr int idle_ticks = 21;
const domain::Date birthday(2027y / 3 / 15);

constexpr postgres::Statement insert_copies{"insert_copies", R"(
    INSERT INTO message_logs_2027_04 (id, user_id, message_type, delivery_date, plan_version, type_version, timezone, civil_rule,
                                      scheduled_send_time, due_at, created_at, updated_at)
    SELECT id, user_id, message_type, delivery_date + 31, plan_version, type_version, timezone, civil_rule,
           scheduled_send_time + interval '31 days', due_at + interval '31 days', created_at, updated_at
    FROM message_logs_2027_03 WHERE message_type = $1 AND status = 'SCHEDULED')"};

// The same date, of another type.
constexpr const char* use_custom_type = R"(
    INSERT INTO message_types (name, template, rules_changed_at, created_at)
        VALUES ('RENEWAL', 'Dear {first_name}', 'epoch', 'epoch');
    SET session_replication_role = replica;
    INSERT INTO user_occasions (user_id, message_type, date, timezone)
        SELECT id, 'RENEWAL', birthday_date, timezone FROM users WHERE birthday_date IS NOT NULL;
    UPDATE users SET birthday_date = NULL;
    SET session_replication_role = origin;)";

constexpr postgres::Statement session{"session", "SELECT pg_backend_pid()"};

double seconds_since(Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
}

std::vector<std::string> zones_in(postgres::Pool& pool) {
    std::set<std::string> zones;
    for (const auto& zone : postgres::zone_names(pool)) zones.insert(zone.stored);
    return {zones.begin(), zones.end()};
}

struct Options {
    int users = 200'000;
    int one_in = 1;
    int planners = 1;
    int chunk = 0;
    int existing = 0;
    bool custom = false;
    int runs = 3;

    std::string type() const { return custom ? "RENEWAL" : "BIRTHDAY"; }
};

/// Some units, and what planning them took.
struct Planned {
    std::atomic<int> rows = 0;
    int units = 0;
    double seconds = 0;
};

void plan(postgres::Pool& pool, std::span<const postgres::Unit> units, const Options& options, int planners,
          Planned& planned) {
    std::atomic<std::size_t> next = 0;
    const auto start = Clock::now();
    {
        std::vector<std::jthread> threads;
        for (int i = 0; i < planners; ++i) {
            threads.emplace_back([&] {
                auto chunk = options.chunk > 0 ? postgres::ChunkSize(options.chunk) : postgres::ChunkSize();
                for (auto n = next++; n < units.size(); n = next++)
                    planned.rows += postgres::plan_unit(pool, units[n], chunk);
            });
        }
    }
    planned.seconds += seconds_since(start);
    planned.units += static_cast<int>(units.size());
}

/// Messages of others in the same partition, and what a message costs then.
double cost_among(int existing, const std::string& name, postgres::Connection& connection,
                  postgres::Pool& pool, std::span<const postgres::Unit> units, const Options& options,
                  Planned& planned, bench::Report& report) {
    bench::add_other_messages(connection, existing);
    bench::settle(connection);
    Planned these;
    bench::Cost cost(connection, {{"postgres", bench::server_process(connection)}});
    plan(pool, units, options, options.planners, these);
    cost.report(report, name + "_", these.rows, "row");
    report.add("row_" + name, 1e6 * these.seconds / these.rows, "us");
    planned.rows += these.rows;
    planned.units += these.units;
    planned.seconds += these.seconds;
    return 1e6 * these.seconds / these.rows;
}

/// The birthday's units; those of the days before it, which must be planned first; the others.
struct Work {
    std::vector<postgres::Unit> before, full, after;
};

Work work_due(postgres::Pool& pool, const std::string& type) {
    Work work;
    for (const auto& unit : postgres::units_due(pool, horizon)) {
        const bool is_birthday = unit.message_type == type && unit.delivery_date == birthday;
        auto& units = is_birthday ? work.full : unit.delivery_date < birthday ? work.before : work.after;
        units.push_back(unit);
    }
    return work;
}

double copy(postgres::Connection& connection, bench::Report& report, const std::string& type) {
    bench::Cost cost(connection, {{"postgres", bench::server_process(connection)}});
    const auto start = Clock::now();
    const int copies = connection.run(insert_copies, type).affected();
    const double rate = copies / seconds_since(start);
    cost.report(report, "bare_insert_", copies, "row");
    return rate;
}

void run(const Options& options, bench::Report& report) {
    const support::TestDatabase database;
    auto connection = bench::patient_connection(database);
    postgres::Pool pool(bench::service_pool(database));
    const auto zones = zones_in(pool);
    connection.execute("SELECT set_clock('2027-02-01T12:00:00Z', 0)");
    bench::add_unplanned_users(connection, options.users, "1990-03-15", zones, options.one_in);
    // 09:00 on the day comes after the first of these moments everywhere, and within the horizon of the
    // second.
    connection.execute("SELECT set_clock('2027-03-14T12:00:00Z', 0)");
    bench::use_zones(connection, zones);
    connection.execute("SELECT set_clock('2027-03-14T20:00:00Z', 0)");
    if (options.custom) connection.execute(use_custom_type);
    bench::settle(connection);

    const auto work = work_due(pool, options.type());
    Planned full;
    Planned empty;
    plan(pool, work.before, options, 1, empty);
    const double memory = bench::memory(getpid()).own;
    if (options.existing > 0) {
        const std::span units(work.full);
        const auto half = units.size() / 2;
        const double few = cost_among(10'000, "among_10k_messages", connection, pool, units.first(half),
                                      options, full, report);
        const double many = cost_among(options.existing, "among_existing_messages", connection, pool,
                                       units.subspan(half), options, full, report);
        report.add("ratio_of_row_cost_to_10k_messages", many / few, "ratio");
    } else {
        bench::Cost cost(connection, {{"postgres", bench::server_process(connection)}});
        plan(pool, work.full, options, options.planners, full);
        cost.report(report, "", full.rows, "row");
    }
    plan(pool, work.after, options, 1, empty);
    report.add("planner_memory_growth", bench::memory(getpid()).own - memory, "MB");
    report.add("session_memory", bench::memory(pool.run(session).front().get<int>(0)).own, "MB");
    const double planned = full.rows / full.seconds;
    if (options.existing == 0) {
        const double bare = copy(connection, report, options.type());
        report.add("bare_insert_rows_per_second", bare, "1/s");
        report.add("ratio_to_bare_insert", planned / bare, "ratio");
    }

    std::vector<double> ticks;
    std::ptrdiff_t units_left = 0;
    for (int i = 0; i < idle_ticks; ++i) {
        const auto tick = Clock::now();
        units_left += std::ssize(postgres::units_due(pool, horizon));
        ticks.push_back(1000 * seconds_since(tick));
    }
    report.count_fault("lost", options.users - full.rows);
    report.count_fault("misplaced", empty.rows);
    report.count_fault("units_left", units_left);
    report.add("rows_per_second", planned, "1/s");
    report.add("units", full.units, "count");
    report.add("empty_unit_milliseconds", 1000 * empty.seconds / empty.units, "ms");
    report.add("idle_tick_milliseconds", bench::percentile(ticks, 0.5), "ms");
}

}  // namespace

int main(int argc, char** argv) try {
    Options options;
    support::CommandLine line("A birthday of many users in every zone, planned", "bench-plan");
    line.number("--users", options.users);
    line.number("--one-in", options.one_in, "of the users in the table has this birthday");
    line.number("--planners", options.planners, "at once", {.least = 1, .most = 4});
    line.number("--chunk", options.chunk, "users in a transaction; the scheduler fits them to its time");
    line.number("--existing", options.existing,
                "messages of others in the partition; tells the cost of a row beside that among 10 000",
                {.least = 0});
    line.flag("--custom", options.custom, "the date is of a type that was added, not the birthday");
    line.number("--runs", options.runs);
    if (const auto code = line.parse(argc, argv)) return *code;

    bench::Report report("plan");
    report.note(bench::machine_state());
    report.note(bench::durability());
    report.note(std::to_string(options.users) + " users with the same birthday, one in " +
                std::to_string(options.one_in) +
                ", spread over every zone; planners: " + std::to_string(options.planners));
    for (int i = 0; i < options.runs; ++i) run(options, report);
    return report.finish();
} catch (const std::exception& error) {
    std::cerr << "bench-plan: " << error.what() << '\n';
    return 1;
}
