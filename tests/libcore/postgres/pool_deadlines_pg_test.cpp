// What becomes of those whose deadline passes, of what the server does for them then, and of its connection.
#include <mutex>

#include "libcore/postgres/transaction.hpp"
#include "tests/libcore/postgres/error_of.hpp"
#include "tests/libcore/postgres/pool_storm.hpp"

using namespace std::chrono_literals;
using namespace postgres;
using Clock = std::chrono::steady_clock;

TEST_CASE_METHOD(StormFixture, "a read is not repeated beyond its caller's deadline", "[threads]") {
    support::TcpGate gate("127.0.0.1", database.port());
    std::atomic<int> attempts = 0;
    auto patient = settings(2, gate);
    patient.acquire_timeout = 20s;
    Pool pool(patient, [&](const Observation& seen) {
        if (seen.kind == Observation::Kind::acquire) ++attempts;
    });
    // What the server sleeps through is not cut short by what becomes of the way.
    const auto read_and_lose = [&](Clock::time_point deadline, Clock::time_point cut_from, int times) {
        const int before = number(napping);
        attempts = 0;
        const std::jthread breaker([&, before] {
            auto server = database.connection();
            for (int cut = 1; cut <= times; ++cut) {
                support::eventually([&] { return server.run(napping).front().get<int>(0) == before + cut; });
                std::this_thread::sleep_until(cut_from);
                gate.cut();
            }
        });
        Pool mine = pool.until(deadline);
        return error_of([&] { mine.run(nap, 1, 60.0); });
    };
    CHECK(read_and_lose(Clock::now() + 20s, {}, 4).connection_lost());
    CHECK(attempts == 4);

    // Again when this machine was too busy to cut before the deadline.
    const bool once = support::eventually([&] {
        const auto deadline = Clock::now() + 500ms;
        const auto error = read_and_lose(deadline, deadline - 60ms, 1);
        CHECK(Clock::now() < deadline + slack);
        return error.connection_lost() && attempts == 1;
    });
    CHECK(once);
}

TEST_CASE_METHOD(StormFixture,
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
    StormFixture,
    "a transaction whose caller's deadline passes leaves nothing, and its connection is used again") {
    Pool pool(settings(1));
    const int pid = pool.lease()->backend_pid();
    Pool mine = pool.until(Clock::now() + 100ms);
    CHECK_THROWS_AS(transact(mine,
                             [&](Transaction& transaction) {
                                 transaction.run(slow_insert, 1, 0.0);
                                 transaction.run(nap, 1, 20.0);
                             }),
                    DatabaseError);
    CHECK(pool.lease()->backend_pid() == pid);
    CHECK(number(count) == 0);

    Pool brief = pool.until(Clock::now() + 100ms);
    try {
        transact(brief, [&](Transaction& transaction) {
            transaction.run(slow_insert, 1, 0.0);
            std::this_thread::sleep_until(brief.deadline());
        });
        FAIL("committed after the deadline");
    } catch (const CommitInDoubt&) {
        FAIL("COMMIT was not sent");
    } catch (const DatabaseError& error) {
        CHECK(error.timed_out());
    }
    CHECK(pool.lease()->backend_pid() == pid);
    CHECK(number(count) == 0);
}

TEST_CASE_METHOD(StormFixture,
                 "a COMMIT that is under way when the deadline passes is in doubt and not stopped") {
    database.connection().execute(
        "CREATE FUNCTION linger() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(3); RETURN "
        "NULL; END $$;"
        "CREATE CONSTRAINT TRIGGER linger AFTER INSERT ON t DEFERRABLE INITIALLY DEFERRED "
        "FOR EACH ROW EXECUTE FUNCTION linger()");
    Pool pool(settings(1));
    pool.run(echo, 1);
    Pool mine = pool.until(Clock::now() + 2s);
    CHECK_THROWS_AS(transact(mine, [&](Transaction& transaction) { transaction.run(slow_insert, 1, 0.0); }),
                    CommitInDoubt);
    CHECK(pool.run(count).front().get<int>(0) == 1);
}

TEST_CASE_METHOD(StormFixture, "a COMMIT that does not end keeps nobody from being stopped behind it",
                 "[threads]") {
    database.connection().execute(
        "CREATE FUNCTION linger() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(30); RETURN "
        "NULL; END $$;"
        "CREATE CONSTRAINT TRIGGER linger AFTER INSERT ON t DEFERRABLE INITIALLY DEFERRED "
        "FOR EACH ROW EXECUTE FUNCTION linger()");
    constexpr int readers = 5;
    std::mutex mutex;
    std::vector<int> ended;
    Pool pool(settings(readers + 1), [&](const Observation& seen) {
        const std::scoped_lock lock(mutex);
        if (seen.kind == Observation::Kind::close) ended.push_back(seen.backend_pid);
    });
    {
        std::vector<Lease> all;
        for (int i = 0; i <= readers; ++i) all.push_back(pool.lease());
    }
    const auto deadline = Clock::now() + 1s;
    std::atomic<int> committing = 0, in_doubt = 0, late = 0;
    {
        std::vector<std::jthread> threads;
        threads.emplace_back([&] {
            Pool mine = pool.until(deadline);
            try {
                transact(mine, [&](Transaction& transaction) {
                    committing = transaction.run(own_pid).front().get<int>(0);
                    transaction.run(slow_insert, 1, 0.0);
                });
            } catch (const CommitInDoubt&) {
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
    CHECK(pool.state().circuit == Circuit::State::closed);
}

TEST_CASE_METHOD(StormFixture,
                 "in a storm of deadlines nobody reads another's answer, is stopped for another, or makes "
                 "one connection too many",
                 "[threads]") {
    constexpr int max = 4;
    const Census census(database, max);
    auto patience = settings(max);
    patience.acquire_timeout = 20s;
    Pool pool(patience);
    Crowd hurried(pool, 6, 8ms, 0.015);
    Crowd patient(pool, 3, 10s, 0.003);
    CHECK(support::eventually(
        [&] { return hurried.failed() > 300 && hurried.right() > 50 && patient.right() > 200; }, 30s));
    hurried.leave();
    patient.leave();

    CHECK(hurried.wrong() + patient.wrong() == 0);
    CHECK(patient.failed() == 0);
    CHECK(hurried.stopped() == 0);
    CHECK(census.most() <= max);
    CHECK(works(pool));
}

TEST_CASE_METHOD(
    StormFixture,
    "whoever is in too much of a hurry to be connected leaves it to others, and no more are made",
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
    CHECK(pool.state().circuit == Circuit::State::closed);
}

TEST_CASE_METHOD(StormFixture,
                 "connections that their callers have left and that do not come are given up in their time",
                 "[threads]") {
    constexpr int max = 4;
    support::TcpGate gate("127.0.0.1", database.port());
    auto impatient = settings(max, gate);
    impatient.connection.connect_timeout = 3s;
    Pool pool(impatient);
    gate.stall();
    for (int caller = 0; caller < max; ++caller)
        CHECK_THROWS_AS(pool.until(Clock::now() + 10ms).run(echo, 1), DatabaseError);
    CHECK(pool.state().total == max);
    const auto took = time_of([&] { CHECK(support::eventually([&] { return pool.state().total == 0; })); });
    CHECK(took < 3s + slack);
    gate.forward();
    CHECK(until_it_works(pool) < 1s + slack);
}

TEST_CASE_METHOD(StormFixture, "a pool ends though a connection that its caller has left does not come",
                 "[threads]") {
    support::TcpGate gate("127.0.0.1", database.port());
    gate.stall();
    const auto took = time_of([&] {
        Pool pool(settings(1, gate));
        CHECK_THROWS_AS(pool.until(Clock::now() + 50ms).run(echo, 1), DatabaseError);
    });
    CHECK(took < 1s + slack);  // alone, connecting takes ten
}
