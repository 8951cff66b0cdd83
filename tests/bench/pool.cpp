// bench-pool: the database pool of all services. The same question by primary key beside pgbench and pools
// for Node.js; a mixed load at steady rates; twice as much as it can serve; and what lending and connecting
// cost.

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <iostream>
#include <random>
#include <string>
#include <vector>

#include "libcore/postgres/pool.hpp"
#include "libcore/postgres/users_table.hpp"
#include "tests/bench/machine.hpp"
#include "tests/bench/pool_callers.hpp"
#include "tests/bench/pool_peers.hpp"
#include "tests/bench/postgres_server.hpp"
#include "tests/bench/report.hpp"
#include "tests/support/command_line.hpp"

namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

struct Options {
    int users = 100'000;
    int seconds = 3;
    int runs = 3;
    int callers = 0;  ///< only these; 0: all that there are, and everything else
    bool peers = true;
};

// Users are found by number, so that everybody can ask for one at random. The number comes back: whoever gets
// another one has somebody else's answer.
constexpr auto identified = "('00000000-0000-7000-8000-' || lpad($1::int::text, 12, '0'))::uuid";
const std::string read_sql =
    fmt::format("SELECT right(id::text, 12)::int, first_name, email FROM users WHERE id = {}", identified);
const postgres::Statement read_user{"read_user", read_sql.c_str()};

constexpr postgres::Statement add_users{"add_users", R"(
    INSERT INTO users (id, first_name, last_name, email, timezone)
    SELECT ('00000000-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid, 'Ada', 'Lovelace',
           'recipient' || n || '@example.com', 'Europe/London'
    FROM generate_series(1, $1::int) AS n)"};

constexpr postgres::Statement work{"work", "SELECT $1::int FROM pg_sleep(0.005)"};

domain::Uuid id_of(int number) {
    return domain::parse_uuid(fmt::format("00000000-0000-7000-8000-{:012}", number)).value();
}

/// Of this thread.
int somebody(int users) {
    thread_local std::minstd_rand random{std::random_device{}()};
    return std::uniform_int_distribution(1, users)(random);
}

postgres::PoolSettings pool_of(const support::TestDatabase& database, int max, int min) {
    auto settings = bench::service_pool(database);
    settings.connection.session = {};
    settings.max = max;
    settings.min = min;
    return settings;
}

bool read_one(postgres::Pool& pool, int users) {
    const int number = somebody(users);
    return pool.run(read_user, number).front().get<int>(0) == number;
}

/// `where` becomes the end of every metric.
void read_by_key(const support::TestDatabase& database, const Options& options, const bench::Reading& reading,
                 const std::string& where, bench::Report& report) {
    const auto add = [&](const std::string& who, const bench::ClosedLoop& seen) {
        report.add(who + "qps" + where, seen.per_second, "1/s");
        report.add(who + "p50" + where, seen.p50, "ms");
        report.add(who + "p99" + where, seen.p99, "ms");
        report.add(who + "client_cpu" + where, seen.processor, "us/query");
    };
    double ours = 0;
    {
        auto settings = pool_of(database, reading.connections, 0);
        settings.max_waiting = reading.callers;
        settings.shed_above = 0ms;
        postgres::Pool pool(settings);
        const auto seen = bench::closed_loop(reading.callers, reading.time,
                                             [&](int) { return read_one(pool, options.users); });
        add("", seen);
        ours = seen.per_second;
    }
    const auto beside = [&](const std::string& who, const bench::ClosedLoop& seen) {
        add(who + "_", seen);
        report.add("ratio_to_" + who + where, ours / seen.per_second, "ratio");
    };
    std::string script = fmt::format("\\set number random(1, {})\n{};", options.users, read_sql);
    script.replace(script.find("$1"), 2, ":number");
    beside("pgbench", bench::read_by_pgbench(database, script, reading));
    if (!options.peers) return;
    for (const std::string peer : {"node_postgres", "postgres_js"})
        beside(peer,
               bench::read_by_node(database, "pool_" + peer + ".mjs", read_sql, options.users, reading));
}

/// A connection for each caller, as pgbench has it, and fewer. At 64 the metrics have no ending.
void read_by_key(const support::TestDatabase& database, const Options& options, bench::Report& report) {
    struct Case {
        int callers;
        int connections;
        std::string where;
    };
    const std::vector<Case> cases{
        {1, 1, "_1"}, {8, 8, "_8"}, {64, 64, ""}, {64, 20, "_64_over_20"}, {256, 64, "_256_over_64"}};
    for (const auto& [callers, connections, where] : cases)
        if (options.callers == 0 || options.callers == callers)
            read_by_key(database, options, {callers, connections, std::chrono::seconds(options.seconds)},
                        where, report);
}

bench::Outcome tried(const std::function<bool()>& ask) {
    try {
        return ask() ? bench::Outcome::served : bench::Outcome::failed;
    } catch (const postgres::PoolExhausted&) {
        return bench::Outcome::refused;
    }
}

/// Seven of ten read a user by our own function, two read by number, one changes a user durably.
bool ask_something(postgres::Pool& pool, int users) {
    const int number = somebody(users);
    const int kind = number % 10;
    if (kind < 7) return postgres::find_user(pool, id_of(number)).has_value();
    if (kind < 9) return read_one(pool, users);
    return postgres::change_user(pool, id_of(number),
                                 [&](domain::UserFields fields) -> domain::Result<domain::UserFields> {
                                     fields.first_name = fields.first_name == "Ada" ? "Grace" : "Ada";
                                     return fields;
                                 })
        .has_value();
}

/// The pool of the preset `lean`.
void serve_mixed(const support::TestDatabase& database, const Options& options, bench::Report& report) {
    constexpr int callers = 64;
    for (const int rate : {50, 500, 5000}) {
        postgres::Pool pool(pool_of(database, 15, 5));
        auto load = bench::open_loop(callers, rate, std::chrono::seconds(options.seconds + 2), [&](int) {
            return tried([&] { return ask_something(pool, options.users); });
        });
        report.add(fmt::format("mixed_{}_served", rate), load.served, "1/s");
        report.add(fmt::format("mixed_{}_p50", rate), bench::percentile(load.took, 0.5), "ms");
        report.add(fmt::format("mixed_{}_p95", rate), bench::percentile(load.took, 0.95), "ms");
        report.count_fault("exhausted", load.refused);
        report.count_fault("wrong", load.failed);
    }
}

/// Questions of 5 ms each, so that the connections are what there is too little of.
void overload(const support::TestDatabase& database, bench::Report& report) {
    constexpr auto time = 10s;
    constexpr int most_callers = 400;
    postgres::Pool pool(pool_of(database, 15, 15));
    const auto ask = [&](int number) { return pool.run(work, number).front().get<int>(0) == number; };
    const auto capacity = bench::closed_loop(15, 3s, ask).per_second;
    auto load = bench::open_loop(most_callers, 2 * capacity, time,
                                 [&](int caller) { return tried([&] { return ask(caller); }); });
    report.add("overload_capacity", capacity, "1/s");
    report.add("overload_offered_ratio", load.offered / capacity, "ratio");
    report.add("overload_goodput_ratio", load.served / capacity, "ratio");
    report.add("overload_p50", bench::percentile(load.took, 0.5), "ms");
    report.add("overload_p99", bench::percentile(load.took, 0.99), "ms");
    report.count_fault("wrong", load.failed);
}

/// Nobody else wants the connection.
void lend(const support::TestDatabase& database, bench::Report& report) {
    constexpr int times = 1'000'000;
    postgres::Pool pool(pool_of(database, 4, 1));
    pool.lease();
    const auto begin = Clock::now();
    for (int i = 0; i < times; ++i) pool.lease();
    report.add("lend_and_return",
               std::chrono::duration<double, std::nano>(Clock::now() - begin).count() / times, "ns");
}

void connect(const support::TestDatabase& database, bench::Report& report) {
    constexpr int times = 50;
    std::vector<double> took;
    for (int i = 0; i < times; ++i) {
        const auto begin = Clock::now();
        const postgres::Connection connection(database.settings());
        took.push_back(std::chrono::duration<double, std::milli>(Clock::now() - begin).count());
    }
    report.add("connect_p50", bench::percentile(took, 0.5), "ms");
    report.add("connect_p95", bench::percentile(took, 0.95), "ms");
}

/// What the server's processes of a pool take, their part of what they share included, when each has answered
/// questions.
void weigh_backends(const support::TestDatabase& database, const Options& options, bench::Report& report) {
    for (const int connections : {20, 64}) {
        postgres::Pool pool(pool_of(database, connections, 0));
        std::vector<postgres::Lease> all;
        for (int i = 0; i < connections; ++i) all.push_back(pool.lease());
        double megabytes = 0;
        for (const auto& lease : all) {
            for (int i = 0; i < 20; ++i) lease->run(read_user, somebody(options.users));
            megabytes += bench::proportional_memory(lease->backend_pid());
        }
        report.add(fmt::format("backends_{}", connections), megabytes, "MB");
    }
}

}  // namespace

int main(int argc, char** argv) try {
    Options options;
    support::CommandLine line("The database pool", "bench-pool");
    line.number("--users", options.users);
    line.number("--seconds", options.seconds, "of each measurement");
    line.number("--runs", options.runs);
    line.number("--callers", options.callers, "only the question by key, by so many");
    line.flag("!--no-peers", options.peers, "without the pools for Node.js");
    if (const auto code = line.parse(argc, argv)) return *code;

    bench::Report report("pool");
    report.note(bench::machine_state());
    report.note(bench::durability());
    if (options.peers && !bench::node_folder()) {
        report.note("without the pools for Node.js: npm has not installed them");
        options.peers = false;
    }
    const support::TestDatabase database;
    auto connection = bench::patient_connection(database);
    connection.run(add_users, options.users);
    bench::settle(connection);
    for (int i = 0; i < options.runs; ++i) {
        read_by_key(database, options, report);
        if (options.callers != 0) continue;
        serve_mixed(database, options, report);
        overload(database, report);
        lend(database, report);
        connect(database, report);
        weigh_backends(database, options, report);
    }
    return report.finish();
} catch (const std::exception& error) {
    std::cerr << "bench-pool: " << error.what() << '\n';
    return 1;
}
