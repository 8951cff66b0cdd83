// bench-api: users read and written over HTTP through one api-svc, beside the same statements on the database
// alone.

#include <atomic>
#include <chrono>
#include <functional>
#include <iostream>
#include <random>
#include <stdexcept>
#include <thread>

#include "libcore/postgres/users_table.hpp"
#include "libcore/postgres/zones_table.hpp"
#include "tests/bench/cost.hpp"
#include "tests/bench/http_load.hpp"
#include "tests/bench/machine.hpp"
#include "tests/bench/people.hpp"
#include "tests/bench/postgres_server.hpp"
#include "tests/bench/report.hpp"
#include "tests/bench/system_calls.hpp"
#include "tests/support/command_line.hpp"
#include "tests/support/process.hpp"

namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr int seeded_users = 10'000;
// As many as api-svc has threads.
constexpr int database_clients = 16;

struct Options {
    int connections = 64;
    int seconds = 5;
    int runs = 3;
    bool trace = true;
};

constexpr postgres::Statement all_ids{"all_ids", "SELECT id FROM users"};
constexpr postgres::Statement count_users{"count_users", "SELECT count(*) FROM users"};
constexpr postgres::Statement count_messages{"count_messages", "SELECT count(*) FROM message_logs"};
constexpr postgres::Statement new_id{"new_id", "SELECT uuid_v7() FROM generate_series(1, $1)"};

std::vector<domain::Uuid> ids(const postgres::Rows& rows) {
    std::vector<domain::Uuid> all;
    for (const auto row : rows) all.push_back(row.get<domain::Uuid>(0));
    return all;
}

/// Its limits are counted and never met.
std::string make_key(const std::string& database_url) {
    const auto made = support::run("api-svc",
                                   {"keys", "create", "--name", "bench", "--scopes", "users:read,users:write",
                                    "--limits", "create=100000000,read=100000000"},
                                   {{"DATABASE_URL", database_url}});
    const auto begin = made.output.find("tdg_");
    if (made.exit_code != 0 || begin == std::string::npos) throw std::runtime_error(made.output);
    return made.output.substr(begin, made.output.find('\n', begin) - begin);
}

std::string head(const std::string& line, const std::string& key) {
    return line + " HTTP/1.1\r\nHost: localhost\r\nConnection: keep-alive\r\nAuthorization: Bearer " + key +
           "\r\n";
}

std::string post(const domain::UserFields& user, const std::string& key) {
    const auto body = bench::request_body(user);
    return head("POST /api/v1/users", key) +
           "Content-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
           body;
}

/// How often a second `work(client)` is done when every client repeats it, one thread and connection each.
double repeat(int seconds, const std::function<void(int client)>& work) {
    std::atomic<std::int64_t> done = 0;
    const auto start = Clock::now();
    {
        std::vector<std::jthread> clients;
        for (int client = 0; client < database_clients; ++client) {
            clients.emplace_back([&, client] {
                while (Clock::now() < start + std::chrono::seconds(seconds)) {
                    work(client);
                    ++done;
                }
            });
        }
    }
    return static_cast<double>(done) / std::chrono::duration<double>(Clock::now() - start).count();
}

double insert_alone(postgres::Pool& pool, const std::vector<postgres::ZoneName>& zones, int seconds,
                    const std::string& mark) {
    std::vector<bench::People> people;
    std::vector<std::vector<domain::Uuid>> unused(database_clients);
    for (int client = 0; client < database_clients; ++client)
        people.emplace_back(zones, mark + std::to_string(client) + "-");
    return repeat(seconds, [&](int client) {
        auto& mine = unused[static_cast<std::size_t>(client)];
        if (mine.empty()) mine = ids(pool.run(new_id, 10'000));
        const auto id = mine.back();
        mine.pop_back();
        if (!postgres::insert_user(pool, id, people[static_cast<std::size_t>(client)].next()))
            throw std::runtime_error("a user was refused");
    });
}

void show(bench::Report& report, const std::string& what, bench::LoadResult& result, double alone) {
    report.add(what + "_per_second", result.per_second(), "1/s");
    report.add(what + "_p50", bench::percentile(result.milliseconds, 0.50), "ms");
    report.add(what + "_p95", bench::percentile(result.milliseconds, 0.95), "ms");
    report.add(what + "_p99", bench::percentile(result.milliseconds, 0.99), "ms");
    report.add(what + "_ratio_to_database", result.per_second() / alone, "ratio");
}

/// One api-svc on a database with users to be read.
class Subject {
public:
    explicit Subject(const Options& options) : options_(options) { bench::settle(connection); }

    bench::LoadResult get() {
        return drive(200, [&] {
            const auto& user = users[random_() % users.size()];
            return head("GET /api/v1/users/" + domain::to_string(user), key_) + "\r\n";
        });
    }

    bench::LoadResult post() {
        return drive(201, [&] { return ::post(people_.next(), key_); });
    }

    int count(const postgres::Statement& rows) { return connection.run(rows).front().get<int>(0); }

    bench::Cost cost() {
        return {connection,
                {{"postgres", bench::server_process(connection)}, {"api", api.process().pid()}},
                {{"api", &api}}};
    }

private:
    bench::LoadResult drive(int expected_status, std::function<std::string()> next_request) {
        return bench::drive({.port = api.port(),
                             .connections = options_.connections,
                             .duration = std::chrono::seconds(options_.seconds),
                             .expected_status = expected_status,
                             .next_request = std::move(next_request)});
    }

    std::vector<domain::Uuid> seed() {
        bench::add_unplanned_users(connection, seeded_users, "1990-03-15", {"UTC"});
        return ids(connection.run(all_ids));
    }

    const Options& options_;
    const support::TestDatabase database_;

public:
    postgres::Connection connection = bench::patient_connection(database_);
    postgres::Pool pool = database_.pool(database_clients);
    const std::vector<postgres::ZoneName> zones = postgres::zone_names(pool);
    const std::vector<domain::Uuid> users = seed();

private:
    const std::string key_ = make_key(database_.url());
    bench::People people_{zones, "post"};
    std::mt19937_64 random_{1};

public:
    support::Service api{"api-svc",
                         {{"APP_ENV", "development"},
                          {"LOG_LEVEL", "warn"},
                          {"DB_POOL_MAX", "20"},
                          {"DB_POOL_MIN", "5"},
                          {"DATABASE_URL", database_.url()}}};
};

void read(Subject& subject, const Options& options, bench::Report& report) {
    auto cost = subject.cost();
    auto got = subject.get();
    cost.report(report, "get_", static_cast<double>(got.answered), "request");
    const double selects = repeat(options.seconds, [&](int) {
        thread_local std::mt19937_64 own(std::random_device{}());
        postgres::find_user(subject.pool, subject.users[own() % subject.users.size()]);
    });
    report.count_fault("errors", got.errors);
    show(report, "get", got, selects);
    report.add("select_alone_per_second", selects, "1/s");
}

void write(Subject& subject, const Options& options, bench::Report& report) {
    auto cost = subject.cost();
    auto posted = subject.post();
    const auto answered = static_cast<double>(posted.answered);
    cost.report(report, "post_", answered, "request");
    const int kept = subject.count(count_users) - seeded_users;
    report.add("post_rows_inserted", (kept + subject.count(count_messages)) / answered, "1/request");

    bench::settle(subject.connection);
    const double inserts = insert_alone(subject.pool, subject.zones, options.seconds, "planned");
    subject.connection.execute("ALTER TABLE users DISABLE TRIGGER plan_new_users");
    bench::settle(subject.connection);
    const double bare_inserts = insert_alone(subject.pool, subject.zones, options.seconds, "bare");
    report.count_fault("errors", posted.errors + std::abs(kept - posted.answered));
    show(report, "post", posted, inserts);
    report.add("insert_alone_per_second", inserts, "1/s");
    report.add("insert_without_planning_per_second", bare_inserts, "1/s");
}

void run(const Options& options, bench::Report& report) {
    Subject subject(options);
    bench::report_memory(report, "api_idle", subject.api);
    read(subject, options, report);
    write(subject, options, report);
    bench::report_peak_memory(report, "api_loaded", subject.api);
    report.count_fault("unclean_exits", subject.api.stop() == 0 ? 0 : 1);
}

/// Once, for a second each: the service is many times slower when traced.
void count_system_calls(Options options, bench::Report& report) try {
    options.seconds = 1;
    Subject subject(options);
    bench::SystemCalls reading(subject.api.process().pid());
    const auto got = subject.get();
    bench::report_system_calls(report, "get", reading.stop(), static_cast<double>(got.answered), "request");
    bench::SystemCalls writing(subject.api.process().pid());
    const auto posted = subject.post();
    bench::report_system_calls(report, "post", writing.stop(), static_cast<double>(posted.answered),
                               "request");
} catch (const bench::CannotTrace& error) {
    report.note(error.what());
}

}  // namespace

int main(int argc, char** argv) try {
    Options options;
    support::CommandLine line("Users over HTTP", "bench-api");
    line.number("--connections", options.connections, "kept alive");
    line.number("--seconds", options.seconds, "of each phase of a run");
    line.number("--runs", options.runs);
    line.flag("!--no-trace", options.trace, "count no system calls");
    if (const auto code = line.parse(argc, argv)) return *code;

    bench::Report report("api");
    report.note(bench::machine_state());
    report.note(bench::durability());
    report.note(std::to_string(options.connections) + " connections from one thread of this process; " +
                std::to_string(database_clients) + " clients of the database alone");
    for (int i = 0; i < options.runs; ++i) run(options, report);
    if (options.trace) count_system_calls(options, report);
    return report.finish();
} catch (const std::exception& error) {
    std::cerr << "bench-api: " << error.what() << '\n';
    return 1;
}
