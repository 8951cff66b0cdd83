// bench-pipelining: whether callers who each block for an answer are served faster by a few connections that
// carry the questions of all, one behind the other without waiting, than by a connection for each.

#include <fmt/format.h>
#include <libpq-fe.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <charconv>
#include <cstring>
#include <deque>
#include <iostream>
#include <memory>
#include <mutex>
#include <random>
#include <semaphore>
#include <stdexcept>
#include <thread>

#include "libcore/postgres/pool.hpp"
#include "tests/bench/machine.hpp"
#include "tests/bench/pool_callers.hpp"
#include "tests/bench/postgres_server.hpp"
#include "tests/bench/report.hpp"
#include "tests/support/command_line.hpp"

namespace {

using namespace std::chrono_literals;

constexpr int rows = 100'000;
constexpr postgres::Statement read_row{"read_row", "SELECT number, filler FROM rows WHERE number = $1::int"};

int some_number() {
    thread_local std::minstd_rand random{std::random_device{}()};
    return std::uniform_int_distribution(1, rows)(random);
}

void must(bool good, PGconn* connection) {
    if (!good) throw std::runtime_error(PQerrorMessage(connection));
}

/// The least that a shared connection can be: each question is followed by a Sync of its own, so that an
/// error stays with whoever asked. No deadlines, no recovery: what a real one does on top only costs more.
class Lane {
public:
    explicit Lane(const std::string& url)
        : connection_(PQconnectdb(url.c_str())), bell_(eventfd(0, EFD_NONBLOCK)) {
        PGconn* const connection = connection_.get();
        must(PQstatus(connection) == CONNECTION_OK, connection);
        PQclear(PQprepare(connection, read_row.name, read_row.sql, 0, nullptr));
        PQsetnonblocking(connection, 1);
        must(PQenterPipelineMode(connection) == 1, connection);
        thread_ = std::jthread([this](const std::stop_token& stop) { work(stop); });
    }
    ~Lane() {
        thread_.request_stop();
        ring();
        thread_.join();
        close(bell_);
    }
    Lane(const Lane&) = delete;
    Lane& operator=(const Lane&) = delete;

    int ask(int number) {
        Question question{number};
        bool first = false;
        {
            const std::scoped_lock lock(mutex_);
            first = asked_.empty();
            asked_.push_back(&question);
        }
        if (first) ring();
        question.answered.acquire();
        return question.number;
    }

private:
    struct Question {
        int number;  ///< and then the answer's
        std::binary_semaphore answered{0};
    };
    struct Finish {
        void operator()(PGconn* connection) const { PQfinish(connection); }
    };

    void ring() const {
        const std::uint64_t one = 1;
        (void)!write(bell_, &one, sizeof one);
    }

    void work(const std::stop_token& stop) {
        PGconn* const connection = connection_.get();
        while (!stop.stop_requested()) {
            std::array<pollfd, 2> waits{{{PQsocket(connection), POLLIN, 0}, {bell_, POLLIN, 0}}};
            poll(waits.data(), waits.size(), -1);
            if (waits[1].revents != 0) {
                std::uint64_t rung = 0;
                (void)!read(bell_, &rung, sizeof rung);
                send();
            }
            if (waits[0].revents != 0) receive();
        }
    }

    void send() {
        PGconn* const connection = connection_.get();
        std::deque<Question*> asked;
        {
            const std::scoped_lock lock(mutex_);
            asked.swap(asked_);
        }
        for (Question* question : asked) {
            std::array<char, 12> text{};
            std::to_chars(text.data(), text.data() + text.size(), question->number);
            const char* value = text.data();
            must(PQsendQueryPrepared(connection, read_row.name, 1, &value, nullptr, nullptr, 0) == 1,
                 connection);
            must(PQpipelineSync(connection) == 1, connection);
            sent_.push_back(question);
        }
        must(PQflush(connection) >= 0, connection);
    }

    void receive() {
        PGconn* const connection = connection_.get();
        must(PQconsumeInput(connection) == 1, connection);
        while (!sent_.empty() && PQisBusy(connection) == 0) {
            PGresult* const result = PQgetResult(connection);
            if (result == nullptr) continue;
            const auto status = PQresultStatus(result);
            if (status == PGRES_TUPLES_OK) {
                answer_ = std::atoi(PQgetvalue(result, 0, 0));
            } else if (status == PGRES_PIPELINE_SYNC) {
                sent_.front()->number = answer_;
                sent_.front()->answered.release();
                sent_.pop_front();
            }
            PQclear(result);
        }
    }

    std::unique_ptr<PGconn, Finish> connection_;
    int bell_;
    std::mutex mutex_;
    std::deque<Question*> asked_;
    std::deque<Question*> sent_;  ///< of the lane's thread, as below
    int answer_ = 0;
    std::jthread thread_;
};

struct Options {
    int callers = 64;
    int seconds = 3;
    int runs = 5;
};

void add(bench::Report& report, const std::string& who, const bench::ClosedLoop& seen) {
    report.add("qps_" + who, seen.per_second, "1/s");
    report.add("p50_" + who, seen.p50, "ms");
    report.add("p99_" + who, seen.p99, "ms");
    report.add("client_cpu_" + who, seen.processor, "us/query");
}

void run(const support::TestDatabase& database, const Options& options, bench::Report& report) {
    const auto time = std::chrono::seconds(options.seconds);
    double each = 0, best = 0;
    for (const int connections : {options.callers, options.callers / 4, options.callers / 8}) {
        auto settings = bench::service_pool(database);
        settings.connection.session = {};
        settings.max = connections;
        postgres::Pool pool(settings);
        const auto seen = bench::closed_loop(options.callers, time, [&](int) {
            const int number = some_number();
            return pool.run(read_row, number).front().get<int>(0) == number;
        });
        add(report, fmt::format("{}_connections", connections), seen);
        if (connections == options.callers) each = seen.per_second;
        best = std::max(best, seen.per_second);
    }
    for (const std::size_t lanes : {1u, 2u, 4u}) {
        std::deque<Lane> all;
        for (std::size_t i = 0; i < lanes; ++i) all.emplace_back(database.url());
        const auto seen = bench::closed_loop(options.callers, time, [&](int caller) {
            const int number = some_number();
            return all[static_cast<std::size_t>(caller) % lanes].ask(number) == number;
        });
        add(report, fmt::format("{}_lanes", lanes), seen);
        report.add(fmt::format("ratio_{}_lanes", lanes), seen.per_second / each, "ratio");
        report.add(fmt::format("ratio_to_best_{}_lanes", lanes), seen.per_second / best, "ratio");
    }
}

}  // namespace

int main(int argc, char** argv) try {
    Options options;
    support::CommandLine line("Callers over shared connections", "bench-pipelining");
    line.number("--callers", options.callers, {}, {.least = 8, .most = 80});
    line.number("--seconds", options.seconds, "of each measurement");
    line.number("--runs", options.runs);
    if (const auto code = line.parse(argc, argv)) return *code;

    bench::Report report("pipelining");
    report.note(bench::machine_state());
    report.note(bench::durability());
    const support::TestDatabase database(support::TestDatabase::Content::nothing);
    auto connection = bench::patient_connection(database);
    connection.execute(
        fmt::format("CREATE TABLE rows AS SELECT number, repeat('x', 40) AS filler FROM "
                    "generate_series(1, {}) AS number; ALTER TABLE rows ADD PRIMARY KEY (number)",
                    rows));
    bench::settle(connection);
    for (int i = 0; i < options.runs; ++i) run(database, options, report);
    return report.finish();
} catch (const std::exception& error) {
    std::cerr << "bench-pipelining: " << error.what() << '\n';
    return 1;
}
