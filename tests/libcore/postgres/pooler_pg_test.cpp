// Behind the real PgBouncer in transaction mode, which has fewer connections than clients and gives each
// transaction any of them.
#include "tests/support/servers/pooler.hpp"

#include <atomic>
#include <catch2/catch.hpp>
#include <thread>

#include "libcore/postgres/transaction.hpp"
#include "libcore/postgres/url.hpp"
#include "tests/support/postgres_fixture.hpp"

using namespace std::chrono_literals;
using postgres::Statement;
using postgres::Transaction;
using support::Pooler;

namespace {

constexpr Statement look{"look", R"sql(
    SELECT $1::bigint, current_setting('TimeZone'), current_setting('IntervalStyle'), current_setting('statement_timeout'),
           current_setting('enable_seqscan'))sql",
                         postgres::Access::read};
constexpr Statement insert{"insert_t", "INSERT INTO t VALUES ($1)"};
constexpr Statement count{"count_t", "SELECT count(*) FROM t", postgres::Access::read};
constexpr Statement isolation{"isolation", "SELECT current_setting('transaction_isolation')"};

/// Its sessions begin with what ours must not have.
struct Fixture {
    support::TestDatabase database{support::TestDatabase::Content::nothing};

    Fixture() {
        const std::string name = postgres::options_of_url(database.url())["dbname"];
        database.connection().execute("CREATE TABLE t (n bigint); ALTER DATABASE " + name +
                                      " SET TimeZone = 'Asia/Kathmandu'; ALTER DATABASE " + name +
                                      " SET IntervalStyle = 'sql_standard'");
    }

    postgres::PoolSettings settings(const Pooler& pooler, int max) const {
        postgres::PoolSettings settings{.connection = database.settings(), .max = max, .reserve = 0};
        settings.connection.url = pooler.url();
        settings.connection.statement_timeout = 7s;
        settings.connection.session = {{"enable_seqscan", "off"}};
        settings.connects_per_second = 0;
        return settings;
    }

    /// As another client finds the pooler's sessions.
    static std::string asked_by_a_stranger(const Pooler& pooler, const std::string& question) {
        return support::run("/usr/lib/postgresql/15/bin/psql", {pooler.url(), "-Atc", question}, {}).output;
    }
};

bool is_as_told(const postgres::Rows& rows, std::int64_t token) {
    const auto row = rows.front();
    return row.get<std::int64_t>(0) == token && row.get<std::string>(1) == "UTC" &&
           row.get<std::string>(2) == "postgres" && row.get<std::string>(3) == "7s" &&
           row.get<std::string>(4) == "off";
}

}  // namespace

TEST_CASE_METHOD(Fixture,
                 "behind a pooler every statement and transaction has its settings, and nobody else has",
                 "[threads]") {
    const auto options = GENERATE(Pooler::Options::refused, Pooler::Options::ignored);
    const Pooler pooler(database.url(), 2, options);
    postgres::Pool pool(settings(pooler, 8));
    std::atomic<int> wrong = 0, right = 0;
    std::vector<std::thread> threads;
    for (std::int64_t thread = 0; thread < 8; ++thread)
        threads.emplace_back([&, thread] {
            for (std::int64_t i = 0; i < 25; ++i) {
                const std::int64_t token = thread * 1'000 + i;
                ++(is_as_told(pool.run(look, token), token) ? right : wrong);
                postgres::transact(pool, [&](Transaction& transaction) {
                    transaction.run(insert, token);
                    ++(is_as_told(transaction.run(look, -token), -token) ? right : wrong);
                });
            }
        });
    for (std::thread& thread : threads) thread.join();

    CHECK(wrong == 0);
    CHECK(right == 400);
    CHECK(pool.run(count).front().get<int>(0) == 200);
    CHECK(asked_by_a_stranger(pooler, "SHOW TimeZone") == "Asia/Kathmandu\n");
    CHECK(asked_by_a_stranger(pooler, "SHOW enable_seqscan") == "on\n");
    CHECK(asked_by_a_stranger(pooler, "SELECT count(*) FROM pg_prepared_statements") == "0\n");
}

TEST_CASE_METHOD(Fixture,
                 "behind a pooler a failed statement leaves nothing behind, and a script is told as well") {
    const Pooler pooler(database.url(), 1);
    postgres::Pool pool(settings(pooler, 2));
    CHECK_THROWS_AS(pool.run({"nonsense", "SELEKT"}), postgres::DatabaseError);
    CHECK_THROWS_AS(pool.run({"divide", "SELECT 1 / $1::int"}, 0), postgres::DatabaseError);
    CHECK(is_as_told(pool.run(look, 1), 1));
    pool.lease()->execute("INSERT INTO t SELECT 7 WHERE current_setting('TimeZone') = 'UTC'");
    CHECK(pool.run(count).front().get<int>(0) == 1);
    postgres::transact(pool, [&](Transaction& transaction) {
        transaction.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ");
        CHECK(transaction.run(isolation).front().get<std::string>(0) == "repeatable read");
        CHECK(is_as_told(transaction.run(look, 2), 2));
    });
    CHECK(asked_by_a_stranger(pooler, "SHOW TimeZone") == "Asia/Kathmandu\n");
}

TEST_CASE_METHOD(
    Fixture, "behind a pooler what a caller does not wait for any more is stopped, and nobody else is hit",
    "[threads]") {
    const Pooler pooler(database.url(), 2);
    postgres::Pool pool(settings(pooler, 4));
    constexpr Statement nap{"nap", "SELECT $1::bigint FROM pg_sleep($2)"};
    std::atomic<int> wrong = 0, right = 0, late = 0, stopped = 0;
    std::vector<std::thread> threads;
    for (std::int64_t thread = 0; thread < 4; ++thread)
        threads.emplace_back([&, thread] {
            for (std::int64_t i = 0; i < 40; ++i) {
                const std::int64_t token = thread * 1'000 + i;
                const bool hurried = thread < 2;
                try {
                    const auto until = std::chrono::steady_clock::now() + (hurried ? 10ms : 10'000ms);
                    const auto answer = pool.until(until).run(nap, token, hurried ? 0.05 : 0.005);
                    ++(answer.front().get<std::int64_t>(0) == token ? right : wrong);
                } catch (const postgres::DatabaseError&) {
                    ++(hurried ? late : stopped);
                }
            }
        });
    for (std::thread& thread : threads) thread.join();

    CHECK(wrong == 0);
    CHECK(stopped == 0);
    CHECK(right >= 80);
    CHECK(late > 0);
}

TEST_CASE_METHOD(Fixture, "a pooler that lets no more clients in makes callers wait, as a full server does",
                 "[threads]") {
    // Of those whose options it refuses it counts two for a moment.
    const Pooler pooler(database.url(), 3, Pooler::Options::ignored, 3);
    postgres::Pool pool(settings(pooler, 6));
    pool.run(count);
    constexpr Statement nap{"nap", "SELECT $1::bigint FROM pg_sleep(0.01)"};
    std::atomic<int> right = 0, failed = 0;
    std::vector<std::thread> threads;
    for (std::int64_t thread = 0; thread < 8; ++thread)
        threads.emplace_back([&, thread] {
            for (int i = 0; i < 20; ++i) {
                try {
                    right += pool.run(nap, thread).front().get<std::int64_t>(0) == thread;
                } catch (const postgres::DatabaseError&) {
                    ++failed;
                }
            }
        });
    for (std::thread& thread : threads) thread.join();

    CHECK(right == 160);
    CHECK(failed == 0);
    CHECK(pool.state().limit < 6);
}
