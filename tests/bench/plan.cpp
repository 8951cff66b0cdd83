// bench-plan: users in every zone whose birthday comes within the horizon, planned unit by unit, beside a
// bare INSERT … SELECT of the same rows into another month's partition.

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <iostream>
#include <set>

#include "libcore/postgres/plan_table.hpp"
#include "libcore/postgres/zones_table.hpp"
#include "tests/bench/machine.hpp"
#include "tests/bench/postgres_server.hpp"
#include "tests/bench/report.hpp"

namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr auto horizon = 26h;
constexpr int users_per_chunk = 10'000;
constexpr int idle_ticks = 21;
const domain::Date birthday(2027y / 3 / 15);

constexpr postgres::Statement insert_copies{"insert_copies", R"(
    INSERT INTO message_logs_2027_04 (id, user_id, message_type, delivery_date, plan_version, timezone, civil_rule,
                                      scheduled_send_time, due_at, created_at, updated_at)
    SELECT id, user_id, message_type, delivery_date + 31, plan_version, timezone, civil_rule,
           scheduled_send_time + interval '31 days', due_at + interval '31 days', created_at, updated_at
    FROM message_logs_2027_03)"};

double seconds_since(Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
}

std::vector<std::string> zones_in(postgres::Pool& pool) {
    std::set<std::string> zones;
    for (const auto& zone : postgres::zone_names(pool)) zones.insert(zone.stored);
    return {zones.begin(), zones.end()};
}

/// Units of one kind, and what planning them took.
struct Planned {
    void add(postgres::Pool& pool, const postgres::Unit& unit) {
        const auto start = Clock::now();
        rows += postgres::plan_unit(pool, unit, users_per_chunk);
        seconds += seconds_since(start);
        ++units;
    }

    int rows = 0;
    int units = 0;
    double seconds = 0;
};

void run(int users, bench::Report& report) {
    const support::TestDatabase database;
    auto connection = bench::patient_connection(database);
    postgres::Pool pool(bench::service_pool(database));
    // 09:00 on the day comes after the first of these moments everywhere, and within the horizon of the
    // second.
    connection.execute("SELECT set_clock('2027-03-14T12:00:00Z', 0)");
    bench::add_unplanned_users(connection, users, "1990-03-15", zones_in(pool));
    connection.execute("SELECT set_clock('2027-03-14T20:00:00Z', 0)");
    bench::settle(connection);

    const auto units = postgres::units_due(pool, horizon);
    Planned full;
    Planned empty;
    for (const postgres::Unit& unit : units) {
        const bool is_birthday = unit.message_type == "BIRTHDAY" && unit.delivery_date == birthday;
        (is_birthday ? full : empty).add(pool, unit);
    }
    const double planned = full.rows / full.seconds;

    const auto start = Clock::now();
    const int copies = connection.run(insert_copies).affected();
    const double bare = copies / seconds_since(start);

    std::vector<double> ticks;
    std::ptrdiff_t units_left = 0;
    for (int i = 0; i < idle_ticks; ++i) {
        const auto tick = Clock::now();
        units_left += std::ssize(postgres::units_due(pool, horizon));
        ticks.push_back(1000 * seconds_since(tick));
    }
    report.count_fault("lost", users - full.rows - empty.rows);
    report.count_fault("units_left", units_left);
    report.add("rows_per_second", planned, "1/s");
    report.add("bare_insert_rows_per_second", bare, "1/s");
    report.add("ratio_to_bare_insert", planned / bare, "ratio");
    report.add("units", full.units, "count");
    report.add("empty_unit_milliseconds", 1000 * empty.seconds / empty.units, "ms");
    report.add("idle_tick_milliseconds", bench::percentile(ticks, 0.5), "ms");
}

}  // namespace

int main(int argc, char** argv) try {
    int users = 200'000;
    int runs = 3;
    CLI::App app("A birthday of many users in every zone, planned", "bench-plan");
    app.add_option("--users", users)->capture_default_str()->check(CLI::PositiveNumber);
    app.add_option("--runs", runs)->capture_default_str()->check(CLI::PositiveNumber);
    CLI11_PARSE(app, argc, argv);

    bench::Report report("plan");
    report.note(bench::machine_state());
    report.note(bench::durability());
    report.note(std::to_string(users) + " users with the same birthday, spread over every zone");
    for (int i = 0; i < runs; ++i) run(users, report);
    return report.finish();
} catch (const std::exception& error) {
    std::cerr << "bench-plan: " << error.what() << '\n';
    return 1;
}
