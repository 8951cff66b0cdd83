// What a pool makes of a server and a way to it that fail: nobody hangs, nobody reads another's answer, and
// it works again when they do.
#include <algorithm>
#include <atomic>
#include <catch2/catch.hpp>
#include <csignal>
#include <functional>
#include <mutex>
#include <thread>

#include "libcore/postgres/transaction.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/postgres_fixture.hpp"
#include "tests/support/servers/postgres_server.hpp"
#include "tests/support/tcp_gate.hpp"

using namespace std::chrono_literals;
using postgres::Access;
using postgres::DatabaseError;
using postgres::Pool;
using postgres::PoolSettings;
using postgres::Statement;
using postgres::Transaction;
using Clock = std::chrono::steady_clock;

namespace {

constexpr Statement echo{"echo", "SELECT $1::bigint", Access::read};
constexpr Statement nap{"nap", "SELECT $1::bigint FROM pg_sleep($2)", Access::read};
constexpr Statement slow_insert{"slow_insert", "INSERT INTO t SELECT $1 FROM pg_sleep($2)"};
constexpr Statement own_pid{"own_pid", "SELECT pg_backend_pid()", Access::read};
constexpr Statement count{"count_t", "SELECT count(*) FROM t", Access::read};
constexpr Statement others{"others",
                           "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
                           "AND backend_type = 'client backend' AND pid <> pg_backend_pid()"};
constexpr Statement napping{"napping",
                            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
                            "AND wait_event = 'PgSleep'"};
constexpr Statement terminate_all{"terminate_all",
                                  "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
                                  "WHERE datname = current_database() AND pid <> pg_backend_pid()"};

struct Fixture {
    support::TestDatabase database{support::TestDatabase::Content::nothing};

    Fixture() { database.connection().execute("CREATE TABLE t (n bigint)"); }

    PoolSettings settings(int max) const {
        return {.connection = database.settings(), .max = max, .reserve = 0, .connects_per_second = 0};
    }
    PoolSettings settings(int max, const support::TcpGate& gate) const {
        auto gated = settings(max);
        gated.connection.url = support::through(database.url(), gate.port());
        return gated;
    }
    int number(const Statement& statement) const {
        return database.connection().run(statement).front().get<int>(0);
    }
};

template <class Work>
Clock::duration time_of(const Work& work) {
    const auto started = Clock::now();
    work();
    return Clock::now() - started;
}

bool works(Pool& pool) {
    try {
        return pool.until(Clock::now() + 5s).run(echo, 1).front().get<int>(0) == 1;
    } catch (const DatabaseError&) {
        return false;
    }
}

/// From now until the pool answers.
std::chrono::milliseconds until_it_works(Pool& pool) {
    const auto started = Clock::now();
    while (!works(pool) && Clock::now() - started < 20s) std::this_thread::sleep_for(2ms);
    return std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - started);
}

/// Callers that ask for tokens, each for so long at most, as long as it lives.
class Crowd {
public:
    Crowd(Pool& pool, int callers, std::chrono::milliseconds patience, double longest_nap) {
        for (int caller = 0; caller < callers; ++caller)
            threads_.emplace_back([=, this](const std::stop_token& stop) mutable {
                for (std::int64_t i = 0; !stop.stop_requested(); ++i) {
                    const std::int64_t token = caller * 1'000'000'000LL + i;
                    const double seconds = longest_nap * static_cast<double>(i % 10) / 10;
                    ask(pool, token, seconds, patience);
                }
            });
    }

    void leave() {
        for (auto& thread : threads_) thread.request_stop();
        threads_.clear();
    }
    int right() const { return right_; }
    int wrong() const { return wrong_; }
    int failed() const { return failed_; }
    int stopped() const { return stopped_; }
    std::chrono::milliseconds longest() const {
        return std::chrono::duration_cast<std::chrono::milliseconds>(longest_.load());
    }

private:
    void ask(Pool& pool, std::int64_t token, double seconds, std::chrono::milliseconds patience) {
        const auto started = Clock::now();
        try {
            Pool mine = pool.until(started + patience);
            ++(mine.run(nap, token, seconds).front().get<std::int64_t>(0) == token ? right_ : wrong_);
        } catch (const DatabaseError& error) {
            if (error.sqlstate() == "57014") ++stopped_;
            ++failed_;
            std::this_thread::sleep_for(1ms);
        }
        const auto took = Clock::now() - started;
        for (auto seen = longest_.load(); seen < took && !longest_.compare_exchange_weak(seen, took);)
            continue;
    }

    std::atomic<int> right_ = 0, wrong_ = 0, failed_ = 0, stopped_ = 0;
    std::atomic<Clock::duration> longest_{};
    std::vector<std::jthread> threads_;
};

/// Counts how many connections others have at the server, all the time; from when earlier ones have gone.
class Census {
public:
    explicit Census(const support::TestDatabase& database) : connection_(database.settings()) {
        REQUIRE(support::eventually([this] { return now() == 0; }, 30s));
        thread_ = std::jthread([this](const std::stop_token& stop) {
            while (!stop.stop_requested()) most_ = std::max(most_.load(), now());
        });
    }

    int most() const { return most_; }

private:
    int now() { return connection_.run(others).front().get<int>(0); }

    postgres::Connection connection_;  // the thread's
    std::atomic<int> most_ = 0;
    std::jthread thread_;
};

// What a loaded machine may add to any deadline.
constexpr auto slack = 2s;
// A second, by a machine that has nothing else to do.
constexpr auto at_once = 1s + slack;

}  // namespace

TEST_CASE_METHOD(Fixture, "a read whose connection is lost runs again, and a write does not", "[threads]") {
    Pool pool(settings(2));
    std::atomic<bool> write_failed = false;
    std::jthread writer([&] {
        try {
            pool.run(slow_insert, 1, 3.0);
        } catch (const DatabaseError& error) {
            write_failed = error.got_no_answer();
        }
    });
    std::int64_t answer = 0;
    std::jthread reader([&] { answer = pool.run(nap, 7, 3.0).front().get<std::int64_t>(0); });
    REQUIRE(support::eventually([&] { return number(napping) == 2; }));
    number(terminate_all);
    reader.join();
    writer.join();

    CHECK(answer == 7);
    CHECK(write_failed);
    CHECK(number(count) == 0);
}

TEST_CASE_METHOD(Fixture, "a write that finds its connection dead before it is sent runs over another") {
    auto unsuspecting = settings(1);
    unsuspecting.validation = postgres::Validation::off;
    Pool pool(unsuspecting);
    pool.run(echo, 1);
    number(terminate_all);
    REQUIRE(support::eventually([&] { return number(others) == 0; }));
    pool.run(slow_insert, 1, 0.0);
    CHECK(number(count) == 1);
}

TEST_CASE_METHOD(Fixture, "a read is not repeated beyond its caller's deadline", "[threads]") {
    support::TcpGate gate("127.0.0.1", database.port());
    std::atomic<int> attempts = 0;
    Pool pool(settings(2, gate), [&](const postgres::Observation& seen) {
        if (seen.kind == postgres::Observation::Kind::acquire) ++attempts;
    });
    pool.run(echo, 1);
    attempts = 0;
    std::jthread breaker([&] {
        support::eventually([&] { return number(napping) == 1; });
        gate.refuse();
    });
    const auto took = time_of([&] {
        Pool mine = pool.until(Clock::now() + 300ms);
        CHECK_THROWS_AS(mine.run(nap, 1, 5.0), DatabaseError);
    });
    breaker.join();
    CHECK(took < 300ms + slack);
    CHECK(attempts <= 3);  // and not a fourth, 475 ms after the first
}

TEST_CASE_METHOD(Fixture,
                 "whose deadline passes hears so at once, and his statement is stopped at the server") {
    Pool pool(settings(1));
    const int pid = pool.lease()->backend_pid();
    const auto took = time_of([&] {
        Pool mine = pool.until(Clock::now() + 100ms);
        CHECK_THROWS_AS(mine.run(nap, 1, 20.0), DatabaseError);
    });
    CHECK(took >= 100ms);
    CHECK(took < 100ms + slack);
    CHECK(pool.run(echo, 2).front().get<int>(0) == 2);
    CHECK(pool.lease()->backend_pid() == pid);
    CHECK(number(napping) == 0);
}

TEST_CASE_METHOD(
    Fixture,
    "a transaction whose caller's deadline passes leaves nothing, and its connection is used again") {
    Pool pool(settings(1));
    const int pid = pool.lease()->backend_pid();
    Pool mine = pool.until(Clock::now() + 100ms);
    CHECK_THROWS_AS(postgres::transact(mine,
                                       [&](Transaction& transaction) {
                                           transaction.run(slow_insert, 1, 0.0);
                                           transaction.run(nap, 1, 20.0);
                                       }),
                    DatabaseError);
    CHECK(pool.lease()->backend_pid() == pid);
    CHECK(number(count) == 0);

    Pool brief = pool.until(Clock::now() + 100ms);
    try {
        postgres::transact(brief, [&](Transaction& transaction) {
            transaction.run(slow_insert, 1, 0.0);
            std::this_thread::sleep_until(brief.deadline());
        });
        FAIL("committed after the deadline");
    } catch (const postgres::CommitInDoubt&) {
        FAIL("COMMIT was not sent");
    } catch (const DatabaseError& error) {
        CHECK(error.timed_out());
    }
    CHECK(pool.lease()->backend_pid() == pid);
    CHECK(number(count) == 0);
}

TEST_CASE_METHOD(Fixture, "a COMMIT that is under way when the deadline passes is in doubt and not stopped") {
    database.connection().execute(
        "CREATE FUNCTION linger() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(1.5); RETURN "
        "NULL; END $$;"
        "CREATE CONSTRAINT TRIGGER linger AFTER INSERT ON t DEFERRABLE INITIALLY DEFERRED "
        "FOR EACH ROW EXECUTE FUNCTION linger()");
    Pool pool(settings(1));
    pool.run(echo, 1);
    Pool mine = pool.until(Clock::now() + 1s);
    CHECK_THROWS_AS(
        postgres::transact(mine, [&](Transaction& transaction) { transaction.run(slow_insert, 1, 0.0); }),
        postgres::CommitInDoubt);
    CHECK(pool.run(count).front().get<int>(0) == 1);
}

TEST_CASE_METHOD(Fixture, "a COMMIT that does not end keeps nobody from being stopped behind it",
                 "[threads]") {
    database.connection().execute(
        "CREATE FUNCTION linger() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(30); RETURN "
        "NULL; END $$;"
        "CREATE CONSTRAINT TRIGGER linger AFTER INSERT ON t DEFERRABLE INITIALLY DEFERRED "
        "FOR EACH ROW EXECUTE FUNCTION linger()");
    constexpr int readers = 5;
    std::mutex mutex;
    std::vector<int> ended;
    Pool pool(settings(readers + 1), [&](const postgres::Observation& seen) {
        const std::scoped_lock lock(mutex);
        if (seen.kind == postgres::Observation::Kind::close) ended.push_back(seen.backend_pid);
    });
    const auto deadline = Clock::now() + 1s;
    std::atomic<int> committing = 0, in_doubt = 0, late = 0;
    {
        std::vector<std::jthread> threads;
        threads.emplace_back([&] {
            Pool mine = pool.until(deadline);
            try {
                postgres::transact(mine, [&](Transaction& transaction) {
                    committing = transaction.run(own_pid).front().get<int>(0);
                    transaction.run(slow_insert, 1, 0.0);
                });
            } catch (const postgres::CommitInDoubt&) {
                ++in_doubt;
            }
        });
        for (int reader = 0; reader < readers; ++reader)
            threads.emplace_back([&] {
                Pool mine = pool.until(deadline + 20ms);
                try {
                    mine.run(nap, 1, 30.0);
                } catch (const DatabaseError& error) {
                    if (error.timed_out()) ++late;
                }
            });
    }
    CHECK(in_doubt == 1);
    CHECK(late == readers);
    CHECK(support::eventually([&] { return pool.state().idle == readers; }));
    CHECK(support::eventually([&] { return pool.state().total == readers; }));
    CHECK(ended == std::vector{committing.load()});
    CHECK(pool.state().circuit == postgres::Circuit::State::closed);
}

TEST_CASE_METHOD(Fixture,
                 "in a storm of deadlines nobody reads another's answer, is stopped for another, or makes "
                 "one connection too many",
                 "[threads]") {
    constexpr int max = 4;
    const Census census(database);
    auto patience = settings(max);
    patience.acquire_timeout = 20s;
    Pool pool(patience);
    Crowd hurried(pool, 6, 8ms, 0.015);
    Crowd patient(pool, 3, 10s, 0.003);
    std::this_thread::sleep_for(1s);
    CHECK(support::eventually(
        [&] { return hurried.failed() > 20 && hurried.right() > 20 && patient.right() > 20; }, 30s));
    hurried.leave();
    patient.leave();

    CHECK(hurried.wrong() + patient.wrong() == 0);
    CHECK(patient.failed() == 0);
    CHECK(hurried.stopped() == 0);
    CHECK(census.most() <= max);
    CHECK(until_it_works(pool) < at_once);
}

TEST_CASE_METHOD(
    Fixture, "whoever is in too much of a hurry to be connected leaves it to others, and no more are made",
    "[threads]") {
    constexpr int max = 2;
    support::TcpGate gate("127.0.0.1", database.port());
    Pool pool(settings(max, gate));
    gate.stall();
    for (int caller = 0; caller < 6; ++caller) {
        const auto took =
            time_of([&] { CHECK_THROWS_AS(pool.until(Clock::now() + 50ms).run(echo, 1), DatabaseError); });
        CHECK(took < 50ms + slack);
    }
    CHECK(gate.accepted() == max);
    CHECK(pool.state().active == 0);

    Pool patient = pool.until(Clock::now() + 10s);
    int answer = 0;
    std::jthread waiting([&] { answer = patient.run(echo, 7).front().get<int>(0); });
    CHECK(support::eventually([&] { return pool.state().waiting == 1; }));
    gate.forward();
    waiting.join();
    CHECK(answer == 7);
    CHECK(support::eventually([&] { return pool.state().idle == max; }));
    CHECK(gate.accepted() == max);
    CHECK(pool.state().circuit == postgres::Circuit::State::closed);
}

TEST_CASE_METHOD(Fixture,
                 "connections that their callers have left and that do not come are given up in their time",
                 "[threads]") {
    constexpr int max = 4;
    support::TcpGate gate("127.0.0.1", database.port());
    auto impatient = settings(max, gate);
    impatient.connection.connect_timeout = 1s;
    Pool pool(impatient);
    gate.stall();
    for (int caller = 0; caller < max; ++caller)
        CHECK_THROWS_AS(pool.until(Clock::now() + 10ms).run(echo, 1), DatabaseError);
    CHECK(pool.state().total == max);
    const auto took = time_of([&] { CHECK(support::eventually([&] { return pool.state().total == 0; })); });
    CHECK(took < 1s + slack);
    gate.forward();
    CHECK(until_it_works(pool) < at_once);
}

TEST_CASE_METHOD(Fixture, "a pool ends though a connection that its caller has left does not come",
                 "[threads]") {
    support::TcpGate gate("127.0.0.1", database.port());
    gate.stall();
    const auto took = time_of([&] {
        Pool pool(settings(1, gate));
        CHECK_THROWS_AS(pool.until(Clock::now() + 50ms).run(echo, 1), DatabaseError);
    });
    CHECK(took < 1s + slack);  // alone, connecting takes ten
}

TEST_CASE_METHOD(Fixture, "a way that stalls, resets and comes back never mixes up answers, and nobody hangs",
                 "[threads]") {
    support::TcpGate gate("127.0.0.1", database.port());
    Pool pool(settings(4, gate));
    Crowd crowd(pool, 8, 400ms, 0.01);
    const auto disturb = [&](const std::function<void()>& fault, std::chrono::milliseconds span) {
        std::this_thread::sleep_for(200ms);
        fault();
        std::this_thread::sleep_for(span);
        gate.forward();
    };
    disturb([&] { gate.stall(); }, 600ms);
    disturb([&] { gate.cut(); }, 0ms);
    disturb([&] { gate.half_close(); }, 100ms);
    disturb([&] { gate.cut_after(500); }, 100ms);
    disturb([&] { gate.stall_answers(2'000); }, 500ms);
    disturb([&] { gate.refuse(); }, 400ms);
    const auto again = until_it_works(pool);
    const int before = crowd.right();
    CHECK(support::eventually([&] { return crowd.right() > before + 50; }));
    crowd.leave();

    WARN("works " << again.count() << " ms after the last fault, " << crowd.right() << " answers, "
                  << crowd.failed() << " failures, longest " << crowd.longest().count() << " ms");
    CHECK(crowd.wrong() == 0);
    CHECK(crowd.longest() < 400ms + slack);
    CHECK(again < at_once);
}

TEST_CASE_METHOD(
    Fixture,
    "after five failures in a row callers are refused at once, and served again when there is a server",
    "[threads]") {
    support::TcpGate gate("127.0.0.1", database.port());
    Pool pool(settings(2, gate));
    gate.refuse();
    for (int i = 0; i < 5; ++i) CHECK_THROWS_AS(pool.run(echo, 1), DatabaseError);
    const auto took = time_of([&] {
        for (int i = 0; i < 20; ++i) CHECK_THROWS_AS(pool.run(echo, 1), postgres::CircuitOpen);
    });
    CHECK(took < 500ms);
    CHECK(pool.state().circuit == postgres::Circuit::State::open);

    gate.forward();
    const auto again = until_it_works(pool);
    WARN("works " << again.count() << " ms after the server is there again");
    CHECK(again < at_once);
    CHECK(pool.state().circuit == postgres::Circuit::State::closed);
}

TEST_CASE_METHOD(Fixture, "errors of statements are no failures of the server") {
    Pool pool(settings(2));
    for (int i = 0; i < 10; ++i) {
        CHECK_THROWS_AS(pool.run({"divide", "SELECT 1 / $1::int"}, 0), DatabaseError);
        CHECK_THROWS_AS(pool.run({"nonsense", "SELEKT"}), DatabaseError);
    }
    CHECK(pool.state().circuit == postgres::Circuit::State::closed);
    CHECK(pool.run(echo, 1).front().get<int>(0) == 1);
}

TEST_CASE_METHOD(Fixture, "sessions ended in a storm cost their statements and nothing else", "[threads]") {
    Pool pool(settings(4));
    Crowd crowd(pool, 6, 5s, 0.005);
    for (int i = 0; i < 20; ++i) {
        std::this_thread::sleep_for(25ms);
        number(terminate_all);
    }
    const auto again = until_it_works(pool);
    crowd.leave();
    CHECK(crowd.wrong() == 0);
    CHECK(crowd.right() > 50);
    CHECK(again < at_once);
    CHECK(number(others) <= 4);
}

TEST_CASE_METHOD(Fixture, "a user who may have fewer connections than the pool wants is served over these",
                 "[threads]") {
    auto administrator = database.connection();
    const std::string role = "limited_" + std::to_string(administrator.backend_pid());
    administrator.execute("CREATE ROLE " + role + " LOGIN PASSWORD 'x' CONNECTION LIMIT 2");
    {
        auto limited = settings(6);
        auto& url = limited.connection.url;
        url = url.substr(0, url.find('?')) + "?host=127.0.0.1&port=" + std::to_string(database.port()) +
              "&user=" + role + "&password=x";
        Pool pool(limited);
        Crowd crowd(pool, 8, 10s, 0.004);
        CHECK(support::eventually([&] { return crowd.right() > 200; }));
        CHECK(pool.state().limit < 6);
        crowd.leave();
        CHECK(crowd.failed() == 0);
        CHECK(crowd.wrong() == 0);
    }
    CHECK(support::eventually([&] { return number(others) == 1; }));
    administrator.execute("DROP ROLE " + role);
}

TEST_CASE_METHOD(Fixture, "connections whose server takes no more writes are not lent again") {
    Pool pool(settings(3));
    int first = 0, second = 0;
    {
        const auto one = pool.lease(), other = pool.lease();
        first = one->backend_pid();
        second = other->backend_pid();
    }
    const auto demote = GENERATE(std::string("SET default_transaction_read_only = on"),
                                 std::string("SET transaction_read_only = on; INSERT INTO t VALUES (1)"));
    try {
        pool.lease()->execute(demote);
    } catch (const DatabaseError& error) {
        CHECK(error.sqlstate() == "25006");
    }
    const int now = pool.lease()->backend_pid();
    CHECK(now != first);
    CHECK(now != second);
}

TEST_CASE("a server that crashes, is killed or stands still under load is found again within a second",
          "[threads]") {
    support::PostgresServer server;
    const support::TestDatabase database(server.url(), support::TestDatabase::Content::nothing);
    PoolSettings settings{
        .connection = database.settings(), .max = 4, .reserve = 0, .connects_per_second = 0};
    Pool pool(settings);
    Crowd crowd(pool, 8, 500ms, 0.005);
    const auto back_after = [&](const char* what) {
        const auto took = until_it_works(pool);
        WARN(what << ": works " << took.count() << " ms after the server accepts again");
        CHECK(took < at_once);
        const int before = crowd.right();
        CHECK(support::eventually([&] { return crowd.right() > before + 20; }));
    };
    for (int i = 0; i < 2; ++i) {
        server.crash();
        server.start();
        back_after("immediate shutdown");
    }
    server.kill();
    server.start();
    back_after("killed");
    ::kill(database.connection().backend_pid(), SIGKILL);
    back_after("one session killed, for which the server ends them all");
    server.freeze();
    std::this_thread::sleep_for(700ms);
    server.thaw();
    back_after("frozen");
    crowd.leave();
    CHECK(crowd.wrong() == 0);
    CHECK(crowd.longest() < 500ms + slack);
}

TEST_CASE("a pool that knows both servers goes over to the standby that takes over", "[threads]") {
    support::PostgresServer primary;
    const support::PostgresServer standby(support::PostgresServer::StandbyOf{primary});
    PoolSettings settings{.connection = {.url = support::PostgresServer::url_of_either(primary, standby)},
                          .max = 3,
                          .reserve = 0,
                          .connects_per_second = 0};
    Pool pool(settings);
    pool.run({"create", "CREATE TABLE t (n bigint)"});
    Crowd crowd(pool, 4, 500ms, 0.005);
    primary.kill();
    standby.promote();
    const auto took = until_it_works(pool);
    WARN("works " << took.count() << " ms after the promotion");
    CHECK(took < at_once);
    pool.run(slow_insert, 1, 0.0);
    crowd.leave();
    CHECK(crowd.wrong() == 0);
    CHECK(pool.run(count).front().get<int>(0) == 1);
}
