// bench-plan: users in every zone whose birthday comes within the horizon, planned unit by unit, in turns
// with a bare INSERT … SELECT of the same rows into another month's partition.

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <iostream>
#include <set>
#include <span>
#include <thread>
#include <utility>

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

// What was planned since the last time: the partition grows at its end.
constexpr postgres::Statement insert_copies{"insert_copies", R"(
    INSERT INTO message_logs_2027_04 (id, user_id, message_type, delivery_date, plan_version, type_version, timezone, civil_rule,
                                      scheduled_send_time, due_at, created_at, updated_at)
    SELECT id, user_id, message_type, delivery_date + 31, plan_version, type_version, timezone, civil_rule,
           scheduled_send_time + interval '31 days', due_at + interval '31 days', created_at, updated_at
    FROM message_logs_2027_03 WHERE ctid >= format('(%s,0)', $1::bigint)::tid AND ctid < format('(%s,0)', $2::bigint)::tid)"};

constexpr postgres::Statement count_pages{
    "count_pages", "SELECT pg_relation_size('message_logs_2027_03') / current_setting('block_size')::bigint"};

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

/// Users with a birthday that comes within the horizon, and everything planned that must be before it.
struct Town {
    explicit Town(const Options& options)
        : connection(bench::patient_connection(database)), pool(bench::service_pool(database)) {
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
        work = work_due(pool, options.type());
        plan(pool, work.before, options, 1, empty);
    }

    /// What is left to be planned, and faults.
    void finish(const Options& options, int planned, bench::Report& report) {
        plan(pool, work.after, options, 1, empty);
        report.count_fault("lost", options.users - planned);
        report.count_fault("misplaced", empty.rows);
        report.count_fault("units_left", std::ssize(postgres::units_due(pool, horizon)));
    }

    const support::TestDatabase database;
    postgres::Connection connection;
    postgres::Pool pool;
    Work work;
    Planned empty;  ///< units without any message
};

/// The same rows once more, without any planning.
class Copies {
public:
    explicit Copies(postgres::Connection& connection) : connection_(connection) {
        connection_.execute("SET synchronous_commit = off");  // as planning does
    }

    /// The last page is filled up by what comes next.
    void catch_up(bool last_page) {
        const auto pages = connection_.run(count_pages).front().get<std::int64_t>(0) - (last_page ? 0 : 1);
        const auto start = Clock::now();
        rows_ += connection_.run(insert_copies, std::exchange(copied_pages_, pages), pages).affected();
        seconds_ += seconds_since(start);
    }

    int rows() const { return rows_; }
    double rows_per_second() const { return rows_ / seconds_; }

private:
    postgres::Connection& connection_;
    std::int64_t copied_pages_ = 0;
    int rows_ = 0;
    double seconds_ = 0;
};

/// Planning and copying take turns, as the machine is not always as fast.
void run(const Options& options, bench::Report& report) {
    constexpr std::size_t units_in_turn = 40;
    Town town(options);
    const double memory = bench::memory(getpid()).own;
    const bench::Cost::Processes server{{"postgres", bench::server_process(town.connection)}};
    Planned full;
    Copies copies(town.connection);
    bench::Cost cost(town.connection, server);
    bench::Cost copy_cost(town.connection, server);
    copy_cost.pause();
    std::span<const postgres::Unit> left(town.work.full);
    while (!left.empty()) {
        const auto turn = std::min(units_in_turn, left.size());
        plan(town.pool, left.first(turn), options, options.planners, full);
        left = left.subspan(turn);
        cost.pause();
        copy_cost.resume();
        copies.catch_up(left.empty());
        copy_cost.pause();
        cost.resume();
    }
    cost.report(report, "", full.rows, "row");
    copy_cost.report(report, "bare_insert_", copies.rows(), "row");
    // Less than 1 by the few rows that PostgreSQL put on earlier pages.
    report.add("bare_insert_rows_of_planned", copies.rows() / static_cast<double>(full.rows), "ratio");
    const double planned = full.rows / full.seconds;
    town.finish(options, full.rows, report);
    report.add("planner_memory_growth", bench::memory(getpid()).own - memory, "MB");
    report.add("session_memory", bench::memory(town.pool.run(session).front().get<int>(0)).own, "MB");
    report.add("bare_insert_rows_per_second", copies.rows_per_second(), "1/s");
    report.add("ratio_to_bare_insert", planned / copies.rows_per_second(), "ratio");

    std::vector<double> ticks;
    for (int i = 0; i < idle_ticks; ++i) {
        const auto tick = Clock::now();
        postgres::units_due(town.pool, horizon);
        ticks.push_back(1000 * seconds_since(tick));
    }
    report.add("rows_per_second", planned, "1/s");
    report.add("units", full.units, "count");
    report.add("empty_unit_milliseconds", 1000 * town.empty.seconds / town.empty.units, "ms");
    report.add("idle_tick_milliseconds", bench::percentile(ticks, 0.5), "ms");
}

/// A town with messages of others in the same partition, planned unit by unit.
class Crowd {
public:
    Crowd(const Options& options, int existing) : options_(options), town_(options) {
        bench::add_other_messages(town_.connection, existing);
        bench::settle(town_.connection);
    }

    bool plan_next() {
        const std::span units(town_.work.full);
        if (next_ == units.size()) return false;
        const auto wal = bench::wal_position(town_.connection);
        plan(town_.pool, units.subspan(next_++, 1), options_, 1, planned_);
        wal_bytes_ += bench::wal_position(town_.connection) - wal;
        return true;
    }

    /// Adds what a row cost, and gives its microseconds.
    double report(bench::Report& report, const std::string& name) {
        const double row = 1e6 * planned_.seconds / planned_.rows;
        report.add("row_" + name, row, "us");
        report.add("wal_bytes_" + name, static_cast<double>(wal_bytes_) / planned_.rows, "B");
        town_.finish(options_, planned_.rows, report);
        return row;
    }

private:
    const Options& options_;
    Town town_;
    Planned planned_;
    std::size_t next_ = 0;
    std::int64_t wal_bytes_ = 0;
};

/// The same among few messages and among many, in turns: the machine is not always as fast.
void compare_crowds(const Options& options, bench::Report& report) {
    Crowd few(options, 10'000);
    Crowd many(options, options.existing);
    while (few.plan_next() && many.plan_next()) {
    }
    const double among_few = few.report(report, "among_10k_messages");
    const double among_many = many.report(report, "among_existing_messages");
    report.add("ratio_of_row_cost_to_10k_messages", among_many / among_few, "ratio");
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
    if (options.existing > 0 && options.planners > 1)
        throw std::invalid_argument("--existing compares units one by one: with one planner only");

    bench::Report report("plan");
    report.note(bench::machine_state());
    report.note(bench::durability());
    report.note(std::to_string(options.users) + " users with the same birthday, one in " +
                std::to_string(options.one_in) +
                ", spread over every zone; planners: " + std::to_string(options.planners));
    for (int i = 0; i < options.runs; ++i)
        options.existing > 0 ? compare_crowds(options, report) : run(options, report);
    return report.finish();
} catch (const std::exception& error) {
    std::cerr << "bench-plan: " << error.what() << '\n';
    return 1;
}
