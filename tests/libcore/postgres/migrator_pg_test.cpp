#include <algorithm>
#include <catch2/catch.hpp>
#include <thread>

#include "libcore/postgres/migrator.hpp"
#include "tests/support/postgres_fixture.hpp"

using Catch::Matchers::Contains;
using postgres::embedded_migrations;
using postgres::migrate;
using postgres::Migration;
using postgres::SchemaMismatch;

namespace {

struct Fixture {
    support::TestDatabase database{support::TestDatabase::Content::nothing};

    std::string ask(const char* sql) const {
        return database.connection().run({"ask", sql}).front().get<std::string>(0);
    }

    /// What the service side says about this database, "fits" when nothing.
    std::string verdict(std::span<const Migration> migrations) const {
        postgres::Pool pool = database.pool(1);
        try {
            check_schema(pool, migrations);
        } catch (const SchemaMismatch& mismatch) {
            return mismatch.what();
        }
        return "fits";
    }
};

const std::vector<Migration> three{
    {1, "0001_first", "CREATE TABLE first (n int);"},
    {2, "0002_second", "CREATE TABLE second (n int); INSERT INTO first VALUES (1);"},
    {3, "0003_third", "-- Drops what nobody uses.\n-- min_compatible: 2\nDROP TABLE second;"}};

std::span<const Migration> first(std::size_t count) {
    return std::span(three).first(count);
}

}  // namespace

TEST_CASE_METHOD(Fixture, "an empty database gets every migration once") {
    const postgres::MigrationReport report = migrate(database.settings());
    CHECK(report.from == 0);
    CHECK(report.to == static_cast<int>(embedded_migrations().size()));
    CHECK(report.applied.size() == embedded_migrations().size());

    const postgres::MigrationReport again = migrate(database.settings());
    CHECK(again.from == report.to);
    CHECK(again.applied.empty());
    CHECK(verdict(embedded_migrations()) == "fits");
}

TEST_CASE("a test gets a migrated database of its own") {
    const support::TestDatabase one, another;
    CHECK(one.url() != another.url());
    postgres::Connection connection = one.connection();
    CHECK_NOTHROW(postgres::check_schema(connection));
    CHECK(migrate(another.settings()).applied.empty());
}

TEST_CASE("every earlier version of the database is brought up to date") {
    const auto all = embedded_migrations();
    for (std::size_t version = 1; version < all.size(); ++version) {
        const support::TestDatabase database(support::TestDatabase::Content::nothing);
        migrate(database.settings(), all.first(version));
        const postgres::MigrationReport report = migrate(database.settings());
        CHECK(report.from == static_cast<int>(version));
        CHECK(report.applied.size() == all.size() - version);
    }
}

TEST_CASE_METHOD(Fixture, "the status lists what is applied and what is missing") {
    CHECK_FALSE(postgres::migration_status(database.settings(), three)[0].applied_at);
    CHECK(ask("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == "0");

    migrate(database.settings(), first(2));
    const auto states = postgres::migration_status(database.settings(), three);
    REQUIRE(states.size() == 3);
    CHECK(states[1].name == "0002_second");
    CHECK(states[1].applied_at);
    CHECK_FALSE(states[2].applied_at);
}

TEST_CASE_METHOD(Fixture, "a file that changed after it was applied is refused by name") {
    migrate(database.settings(), three);
    std::vector<Migration> changed = three;
    changed[1].sql = "CREATE TABLE second (n bigint);";

    try {
        migrate(database.settings(), changed);
        FAIL("migrated");
    } catch (const SchemaMismatch& mismatch) {
        CHECK_THAT(mismatch.what(), Contains("0002_second"));
    }
}

TEST_CASE_METHOD(Fixture, "a database newer than the program is refused and left alone") {
    migrate(database.settings(), three);
    CHECK_THROWS_AS(migrate(database.settings(), first(2)), SchemaMismatch);
    CHECK(ask("SELECT max(version) FROM schema_migrations") == "3");
}

TEST_CASE_METHOD(Fixture, "a failing file leaves nothing behind and those before it stay") {
    std::vector<Migration> failing = three;
    failing[2].sql = "CREATE TABLE third (n int); INSERT INTO nowhere VALUES (1);";
    try {
        migrate(database.settings(), failing);
        FAIL("migrated");
    } catch (const postgres::DatabaseError& error) {
        CHECK_THAT(error.what(), Contains("0003_third") && Contains("nowhere"));
    }
    CHECK(ask("SELECT max(version) FROM schema_migrations") == "2");
    CHECK(ask("SELECT to_regclass('third') IS NULL") == "t");

    CHECK(migrate(database.settings(), three).applied == std::vector<std::string>{"0003_third"});
}

TEST_CASE_METHOD(Fixture, "several migrators at once apply each file once", "[threads]") {
    std::vector<std::thread> threads;
    std::vector<std::size_t> applied(4);
    for (std::size_t& count : applied)
        threads.emplace_back([&count, this] { count = migrate(database.settings(), three).applied.size(); });
    for (std::thread& thread : threads) thread.join();

    std::sort(applied.begin(), applied.end());
    CHECK(applied == std::vector<std::size_t>{0, 0, 0, 3});
    CHECK(ask("SELECT count(*) FROM first") == "1");
}

TEST_CASE_METHOD(Fixture, "a service refuses an older database and says what to do") {
    CHECK_THAT(verdict(three), Contains("at version 0") && Contains("api-svc migrate"));
    migrate(database.settings(), first(2));
    CHECK_THAT(verdict(three),
               Contains("at version 2") && Contains("needs 3") && Contains("api-svc migrate"));
}

TEST_CASE_METHOD(Fixture, "a service accepts a newer database as long as it says it is compatible") {
    migrate(database.settings(), three);
    CHECK(verdict(three) == "fits");
    CHECK(verdict(first(2)) == "fits");
    CHECK_THAT(verdict(first(1)), Contains("at version 3") && Contains("built for 2 or later"));
}

TEST_CASE_METHOD(Fixture, "a contracting migration still counts when a later one is compatible with all") {
    std::vector<Migration> four = three;
    four.push_back({4, "0004_fourth", "CREATE TABLE fourth (n int);"});
    migrate(database.settings(), four);
    CHECK(verdict(first(2)) == "fits");
    CHECK(verdict(first(1)) != "fits");
}
