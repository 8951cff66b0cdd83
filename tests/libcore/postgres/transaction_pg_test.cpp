#include <atomic>
#include <catch2/catch.hpp>
#include <latch>
#include <thread>

#include "libcore/postgres/transaction.hpp"
#include "tests/libcore/postgres/error_of.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/postgres_fixture.hpp"

using namespace std::chrono_literals;
using postgres::DatabaseError;
using postgres::error_of;
using postgres::Statement;
using postgres::Transaction;

namespace {

constexpr Statement insert{"insert_t", "INSERT INTO t VALUES ($1)"};
constexpr Statement count{"count_t", "SELECT count(*) FROM t"};
constexpr Statement own_pid{"own_pid", "SELECT pg_backend_pid()"};
constexpr Statement session{"session", "SELECT pid FROM pg_stat_activity WHERE pid = $1"};
constexpr Statement terminate{"terminate", "SELECT pg_terminate_backend($1, 5000)"};
constexpr Statement add{"add", "UPDATE accounts SET balance = balance + 1 WHERE id = $1"};

struct Fixture {
    support::TestDatabase database{support::TestDatabase::Content::nothing};
    postgres::Connection connection = database.connection();

    Fixture() { connection.execute("CREATE TABLE t (n int PRIMARY KEY)"); }

    /// The session in which the transaction runs.
    void end_session(Transaction& transaction) {
        connection.run(terminate, transaction.run(own_pid).front().get<int>(0));
    }

    int rows() { return database.connection().run(count).front().get<int>(0); }

    /// What happens to every insert into `t` at COMMIT.
    void at_commit(const std::string& action) {
        connection.execute("CREATE FUNCTION act() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM " +
                           action +
                           "; RETURN NULL; END $$;"
                           "CREATE CONSTRAINT TRIGGER act AFTER INSERT ON t DEFERRABLE INITIALLY DEFERRED "
                           "FOR EACH ROW EXECUTE FUNCTION act()");
    }
};

}  // namespace

TEST_CASE_METHOD(Fixture, "a committed transaction stays and an abandoned one leaves no trace") {
    {
        Transaction transaction(connection);
        transaction.run(insert, 1);
        transaction.run(insert, 2);
        CHECK(rows() == 0);
        transaction.commit();
    }
    CHECK(rows() == 2);
    {
        Transaction transaction(connection);
        transaction.run(insert, 3);
        CHECK(transaction.run(count).front().get<int>(0) == 3);
    }
    CHECK(rows() == 2);
    CHECK(connection.usable());
}

TEST_CASE_METHOD(Fixture, "a transaction without statements costs nothing and commits") {
    Transaction transaction(connection);
    transaction.commit();
    CHECK(connection.usable());
}

TEST_CASE_METHOD(Fixture, "a COMMIT that is sent is told as a statement, with its time and what refused it") {
    struct Seen {
        std::chrono::nanoseconds duration;
        bool failed;
    };
    std::vector<Seen> commits;
    postgres::Connection observed(database.settings(), [&](const postgres::Observation& it) {
        if (it.kind == postgres::Observation::Kind::statement && it.name == "commit")
            commits.push_back({it.duration, it.error != nullptr});
    });
    const auto commit = [&](int n) {
        Transaction transaction(observed);
        if (n != 0) transaction.run(insert, n);
        transaction.commit();
    };
    at_commit("pg_sleep(0.2), 1 / (NEW.n - 7)");
    commit(0);
    CHECK(commits.empty());
    commit(1);
    CHECK_THROWS_AS(commit(7), DatabaseError);
    { Transaction(observed).run(insert, 2); }
    REQUIRE(commits.size() == 2);
    CHECK(commits[0].duration >= 200ms);
    CHECK_FALSE(commits[0].failed);
    CHECK(commits[1].failed);
}

TEST_CASE_METHOD(Fixture, "a script is part of its transaction") {
    {
        Transaction transaction(connection);
        transaction.execute("INSERT INTO t VALUES (1); INSERT INTO t VALUES (2)");
        CHECK_THROWS_AS(transaction.execute("INSERT INTO t VALUES (3); INSERT INTO t VALUES (1)"),
                        DatabaseError);
    }
    CHECK(rows() == 0);
    CHECK(connection.usable());
}

TEST_CASE_METHOD(Fixture, "a failed statement leaves nothing to commit") {
    Transaction transaction(connection);
    transaction.run(insert, 1);
    CHECK_THROWS_AS(transaction.run(insert, 1), DatabaseError);
    CHECK_THROWS_AS(transaction.commit(), DatabaseError);
    CHECK(rows() == 0);
    CHECK(connection.usable());
}

TEST_CASE_METHOD(Fixture,
                 "a first statement whose preparation is out of date still begins the transaction once") {
    connection.run(count);
    connection.execute("DEALLOCATE ALL");

    Transaction transaction(connection);
    CHECK(transaction.run(count).front().get<int>(0) == 0);
    transaction.run(insert, 1);
    CHECK(rows() == 0);
    transaction.commit();

    CHECK(rows() == 1);
}

TEST_CASE_METHOD(Fixture, "a transaction that finds its statements lost or outdated runs again") {
    constexpr Statement all{"all_of_t", "SELECT * FROM t"};
    const auto cause =
        GENERATE(std::string("DISCARD ALL"), std::string("ALTER TABLE t ADD m text DEFAULT 'x'"));
    postgres::Pool pool = database.pool(1);
    pool.run(insert, 1);
    pool.run(all);
    pool.lease()->execute(cause);
    constexpr Statement before{"before", "SELECT 1"};

    int runs = 0;
    postgres::transact(pool, [&](Transaction& transaction) {
        ++runs;
        transaction.run(before);
        const int found = transaction.run(all).size();
        CHECK(found == 1);
        transaction.run({"insert_2", "INSERT INTO t VALUES (2)"});
    });

    CHECK(runs == 2);
    CHECK(rows() == 2);
}

TEST_CASE_METHOD(Fixture, "two transactions at once on one connection are a bug that shows at once") {
    Transaction transaction(connection);
    transaction.run(insert, 1);
    CHECK_THROWS_AS(Transaction(connection), std::logic_error);
}

TEST_CASE_METHOD(Fixture, "a constraint that refuses at COMMIT is an error and not in doubt") {
    at_commit("1 / (NEW.n - 7)");
    Transaction transaction(connection);
    transaction.run(insert, 7);
    try {
        transaction.commit();
        FAIL("committed");
    } catch (const postgres::CommitInDoubt&) {
        FAIL("in doubt");
    } catch (const DatabaseError& error) {
        CHECK(error.is_data_error());
    }
    CHECK(rows() == 0);
    CHECK(connection.usable());
}

TEST_CASE_METHOD(Fixture, "a COMMIT whose connection is cut is in doubt though nothing was committed") {
    at_commit("pg_terminate_backend(pg_backend_pid()), pg_sleep(10)");
    Transaction transaction(connection);
    transaction.run(insert, 1);
    CHECK_THROWS_AS(transaction.commit(), postgres::CommitInDoubt);
    CHECK_FALSE(connection.usable());
    CHECK(rows() == 0);
}

TEST_CASE_METHOD(Fixture, "a COMMIT without an answer is in doubt though it was committed") {
    at_commit("pg_sleep(0.6)");
    auto settings = database.settings();
    settings.query_timeout = 300ms;
    postgres::Connection impatient(settings);
    Transaction transaction(impatient);
    transaction.run(insert, 1);
    CHECK_THROWS_AS(transaction.commit(), postgres::CommitInDoubt);
    CHECK(support::eventually([&] { return rows() == 1; }));
}

TEST_CASE_METHOD(Fixture, "a connection lost before COMMIT was sent is not in doubt") {
    Transaction transaction(connection);
    transaction.run(insert, 1);
    connection.close();
    try {
        transaction.commit();
        FAIL("committed");
    } catch (const postgres::CommitInDoubt&) {
        FAIL("in doubt");
    } catch (const DatabaseError& error) {
        CHECK(error.got_no_answer());
    }
}

TEST_CASE_METHOD(Fixture, "the loser of a deadlock runs again and both transactions count", "[threads]") {
    connection.execute(
        "CREATE TABLE accounts (id int PRIMARY KEY, balance int NOT NULL);"
        "INSERT INTO accounts VALUES (1, 0), (2, 0);"
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET deadlock_timeout = ''50ms''', "
        "current_database()); END $$");
    postgres::Pool pool = database.pool();
    std::latch both_hold_one(2);
    std::atomic<int> runs = 0;
    const auto transfer = [&](int first, int second) {
        bool met = false;
        return postgres::transact(pool, [&, first, second](Transaction& transaction) {
            ++runs;
            transaction.run(add, first);
            if (!std::exchange(met, true)) both_hold_one.arrive_and_wait();
            transaction.run(add, second);
            return first;
        });
    };

    std::thread other([&] { transfer(2, 1); });
    const int value = transfer(1, 2);
    other.join();

    CHECK(value == 1);
    CHECK(runs == 3);
    CHECK(connection.run({"balances", "SELECT sum(balance) FROM accounts"}).front().get<int>(0) == 4);
}

TEST_CASE_METHOD(Fixture, "a transaction whose connection ends before COMMIT runs again and counts once") {
    postgres::Pool pool = database.pool(1);
    int runs = 0;
    postgres::transact(pool, [&](Transaction& transaction) {
        transaction.run(insert, 1);
        if (++runs == 1) end_session(transaction);
        transaction.run(insert, 2);
    });
    CHECK(runs == 2);
    CHECK(rows() == 2);
}

TEST_CASE_METHOD(Fixture, "a transaction whose connection ends each time is given up") {
    postgres::Pool pool = database.pool(1);
    int runs = 0;
    const auto error = error_of([&] {
        postgres::transact(pool, [&](Transaction& transaction) {
            ++runs;
            transaction.run(insert, 1);
            end_session(transaction);
            transaction.run(insert, 2);
        });
    });
    CHECK(error.connection_lost());
    CHECK(runs == 4);
    CHECK(rows() == 0);
}

TEST_CASE_METHOD(Fixture, "a transaction that ends with its connection at COMMIT is not run again") {
    at_commit("pg_terminate_backend(pg_backend_pid()), pg_sleep(10)");
    postgres::Pool pool = database.pool(1);
    int runs = 0;
    CHECK_THROWS_AS(postgres::transact(pool,
                                       [&](Transaction& transaction) {
                                           ++runs;
                                           transaction.run(insert, 1);
                                       }),
                    postgres::CommitInDoubt);
    CHECK(runs == 1);
}

TEST_CASE_METHOD(Fixture, "a transaction that sits idle until the server ends it is not run again") {
    postgres::Pool pool = database.pool(1);
    int runs = 0;
    const auto error = error_of([&] {
        postgres::transact(pool, [&](Transaction& transaction) {
            ++runs;
            const int pid = transaction.run(own_pid).front().get<int>(0);
            transaction.execute("SET LOCAL idle_in_transaction_session_timeout = '50ms'");
            REQUIRE(support::eventually([&] { return connection.run(session, pid).empty(); }));
            transaction.run(insert, 1);
        });
    });
    CHECK(error.sat_idle());
    CHECK(runs == 1);
    CHECK(rows() == 0);
}

TEST_CASE_METHOD(Fixture, "what cannot succeed is not run again") {
    postgres::Pool pool = database.pool(1);
    int runs = 0;
    CHECK_THROWS_AS(postgres::transact(pool,
                                       [&](Transaction& transaction) {
                                           ++runs;
                                           transaction.run(insert, 1);
                                           transaction.run(insert, 1);
                                       }),
                    DatabaseError);
    CHECK(runs == 1);
    CHECK(rows() == 0);

    CHECK_THROWS_AS(postgres::transact(pool,
                                       [&](Transaction& transaction) {
                                           transaction.run(insert, 1);
                                           throw std::runtime_error("changed my mind");
                                       }),
                    std::runtime_error);
    CHECK(rows() == 0);
    CHECK(pool.state().idle == 1);
}

TEST_CASE_METHOD(Fixture, "a conflict that never ends is given up after three more runs") {
    postgres::Pool pool = database.pool(1);
    constexpr Statement conflict{"conflict", "DO $$ BEGIN RAISE serialization_failure; END $$"};
    int runs = 0;
    const auto started = std::chrono::steady_clock::now();

    CHECK_THROWS_AS(postgres::transact(pool,
                                       [&](Transaction& transaction) {
                                           ++runs;
                                           transaction.run(conflict);
                                       }),
                    DatabaseError);

    CHECK(runs == 4);
    CHECK(std::chrono::steady_clock::now() - started >= 475ms);
}
