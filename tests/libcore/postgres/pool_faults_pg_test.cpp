// What a pool makes of a server and a way to it that fail: nobody hangs, nobody reads another's answer, and
// it works again when they do.
#include <functional>

#include "tests/libcore/postgres/pool_storm.hpp"

using namespace std::chrono_literals;
using namespace postgres;

TEST_CASE_METHOD(StormFixture, "a read whose connection is lost runs again, and a write does not",
                 "[threads]") {
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

TEST_CASE_METHOD(StormFixture, "a write that finds its connection dead before it is sent runs over another") {
    auto unsuspecting = settings(1);
    unsuspecting.validation = Validation::off;
    Pool pool(unsuspecting);
    pool.run(echo, 1);
    number(terminate_all);
    REQUIRE(support::eventually([&] { return pids().empty(); }));
    pool.run(slow_insert, 1, 0.0);
    CHECK(number(count) == 1);
}

TEST_CASE_METHOD(StormFixture,
                 "when everything takes 100 ms longer nobody waits beyond his deadline, and it ends at once",
                 "[threads]") {
    constexpr int max = 6;
    support::TcpGate gate("127.0.0.1", database.port());
    const Census census(database, max);
    auto patience = settings(max, gate);
    patience.acquire_timeout = 20s;
    Pool pool(patience);
    Crowd patient(pool, 4, 20s, 0.01);
    Crowd hurried(pool, 3, 80ms, 0.01);
    CHECK(patient.gets(50));
    check_that_it_works_within_a_second_of("everything 100 ms slower", pool, [&] {
        gate.delay(50ms);
        const int late = hurried.failed();
        CHECK(patient.gets(30));
        CHECK(support::eventually([&] { return hurried.failed() > late + 5; }));
        CHECK(pool.state().circuit == Circuit::State::closed);
        gate.forward();
    });
    CHECK(patient.gets(50));
    CHECK(hurried.gets(20));
    patient.leave();
    hurried.leave();

    WARN(patient.right() << " and " << hurried.right() << " answers, " << hurried.failed()
                         << " failures, longest " << patient.longest().count() << " and "
                         << hurried.longest().count() << " ms, at most " << census.most() << " sessions");
    CHECK(patient.wrong() + hurried.wrong() == 0);
    CHECK(patient.failed() == 0);
    CHECK(hurried.stopped() == 0);
    CHECK(hurried.longest() < 80ms + slack);
    CHECK(census.longest_excess() < slack);
}

TEST_CASE_METHOD(StormFixture,
                 "a way that stalls, resets and comes back never mixes up answers, and nobody hangs",
                 "[threads]") {
    constexpr int max = 4;
    support::TcpGate gate("127.0.0.1", database.port());
    const Census census(database, max);
    Pool pool(settings(max, gate));
    Crowd crowd(pool, 8, 400ms, 0.01);
    const auto disturb = [&](const std::string& what, std::chrono::milliseconds span,
                             const std::function<void()>& fault) {
        check_that_it_works_within_a_second_of(what, pool, [&] {
            CHECK(crowd.gets(50));
            fault();
            std::this_thread::sleep_for(span);
            gate.forward();
        });
    };
    disturb("a way that stands still", 600ms, [&] { gate.stall(); });
    disturb("connections reset", 0ms, [&] { gate.cut(); });
    disturb("connections half closed", 100ms, [&] { gate.half_close(); });
    disturb("connections reset in the middle of a message", 100ms, [&] { gate.cut_after(500); });
    disturb("a way on which no answer comes", 500ms, [&] { gate.stall_answers(2'000); });
    disturb("a server that refuses", 400ms, [&] { gate.refuse(); });
    CHECK(crowd.gets(50));
    crowd.leave();

    WARN(crowd.right() << " answers, " << crowd.failed() << " failures, longest " << crowd.longest().count()
                       << " ms, at most " << census.most() << " sessions, too many for "
                       << census.longest_excess().count() << " ms");
    CHECK(crowd.wrong() == 0);
    CHECK(crowd.longest() < 400ms + slack);
    CHECK(census.longest_excess() < slack);
}

TEST_CASE_METHOD(
    StormFixture,
    "after five failures in a row callers are refused at once, and served again when there is a server",
    "[threads]") {
    support::TcpGate gate("127.0.0.1", database.port());
    Pool pool(settings(2, gate));
    check_that_it_works_within_a_second_of("a server that refuses", pool, [&] {
        gate.refuse();
        for (int i = 0; i < 5; ++i) CHECK_THROWS_AS(pool.run(echo, 1), DatabaseError);
        const auto took = time_of([&] {
            for (int i = 0; i < 20; ++i) CHECK_THROWS_AS(pool.run(echo, 1), CircuitOpen);
        });
        CHECK(took < slack);
        CHECK(pool.state().circuit == Circuit::State::open);
        gate.forward();
    });
    CHECK(pool.state().circuit == Circuit::State::closed);
}

TEST_CASE_METHOD(StormFixture, "errors of statements are no failures of the server") {
    Pool pool(settings(2));
    for (int i = 0; i < 10; ++i) {
        CHECK_THROWS_AS(pool.run({"divide", "SELECT 1 / $1::int"}, 0), DatabaseError);
        CHECK_THROWS_AS(pool.run({"nonsense", "SELEKT"}), DatabaseError);
    }
    CHECK(pool.state().circuit == Circuit::State::closed);
    CHECK(pool.run(echo, 1).front().get<int>(0) == 1);
}

TEST_CASE_METHOD(StormFixture, "sessions ended in a storm cost their statements and nothing else",
                 "[threads]") {
    constexpr int max = 4;
    const Census census(database, max);
    Pool pool(settings(max));
    Crowd crowd(pool, 6, 5s, 0.005);
    check_that_it_works_within_a_second_of("sessions ended", pool, [&] {
        for (int i = 0; i < 20; ++i) {
            std::this_thread::sleep_for(25ms);
            number(terminate_all);
        }
    });
    crowd.leave();
    CHECK(crowd.wrong() == 0);
    CHECK(crowd.right() > 50);
    CHECK(census.most() <= max);
}

TEST_CASE_METHOD(StormFixture,
                 "a user who may have fewer connections than the pool wants is served over these",
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
    CHECK(support::eventually([&] { return pids().empty(); }));
    administrator.execute("DROP ROLE " + role);
}

TEST_CASE_METHOD(StormFixture, "connections whose server takes no more writes are not lent again") {
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
