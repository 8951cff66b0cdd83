#include <catch2/catch.hpp>
#include <thread>

#include "libcore/postgres/connect_attempt.hpp"
#include "tests/libcore/postgres/error_of.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/postgres_fixture.hpp"
#include "tests/support/tcp_gate.hpp"

using namespace std::chrono_literals;
using Catch::Matchers::Contains;
using postgres::DatabaseError;
using postgres::error_of;
using postgres::Statement;

namespace {

constexpr Statement one{"one", "SELECT 1"};
constexpr Statement wait{"wait", "SELECT pg_sleep(extract(epoch FROM $1::interval))"};
constexpr Statement setting{"setting", "SELECT current_setting($1)"};
constexpr Statement terminate{"terminate", "SELECT pg_terminate_backend($1, 5000)"};
constexpr Statement all_of_t{"all_of_t", "SELECT * FROM t"};

std::string current(postgres::Connection& connection, const char* name) {
    return connection.run(setting, name).front().get<std::string>(0);
}

}  // namespace

TEST_CASE("a session runs in UTC and UTF-8 with the limits it was given") {
    const support::TestDatabase database(support::TestDatabase::Content::nothing);
    auto settings = database.settings();
    settings.application_name = "the planner";
    settings.lock_timeout = 250ms;
    settings.session = {{"enable_seqscan", "off"}, {"search_path", "public, pg_catalog"}};
    postgres::Connection connection(settings);

    CHECK(current(connection, "TimeZone") == "UTC");
    CHECK(current(connection, "client_encoding") == "UTF8");
    CHECK(current(connection, "application_name") == "the planner");
    CHECK(current(connection, "statement_timeout") == "15s");
    CHECK(current(connection, "lock_timeout") == "250ms");
    CHECK(current(connection, "idle_in_transaction_session_timeout") == "1min");
    CHECK(current(connection, "enable_seqscan") == "off");
    CHECK(current(connection, "search_path") == "public, pg_catalog");
}

TEST_CASE("an answer counts the rows a statement touched") {
    const support::TestDatabase database(support::TestDatabase::Content::nothing);
    postgres::Connection connection = database.connection();
    connection.execute("CREATE TABLE t (n int); INSERT INTO t SELECT generate_series(1, 5)");

    const postgres::Rows updated =
        connection.run({"raise", "UPDATE t SET n = n + 1 WHERE n > $1 RETURNING n"}, 3);

    CHECK(updated.affected() == 2);
    CHECK(updated.size() == 2);
    CHECK(connection.run({"clear", "DELETE FROM t"}).affected() == 5);
    CHECK(connection.run(all_of_t).empty());
}

TEST_CASE("a refused statement names itself and its constraint and never the value") {
    const support::TestDatabase database(support::TestDatabase::Content::nothing);
    postgres::Connection connection = database.connection();
    connection.execute(
        "CREATE TABLE t (email text CONSTRAINT one_email UNIQUE, CONSTRAINT no_x CHECK (email <> 'x'))");
    constexpr Statement insert{"insert_t", "INSERT INTO t VALUES ($1)"};
    connection.run(insert, "secret@example.com");

    const DatabaseError twice = error_of([&] { connection.run(insert, "secret@example.com"); });
    CHECK(twice.is_unique_violation());
    CHECK(twice.is_unique_violation("one_email"));
    CHECK_FALSE(twice.is_unique_violation("another"));
    CHECK(twice.is_data_error());
    CHECK_FALSE(twice.got_no_answer());
    CHECK_THAT(twice.what(),
               Contains("insert_t") && Contains("one_email") && Contains("23505") && !Contains("secret"));

    const auto unwanted = error_of([&] { connection.run(insert, "x"); });
    CHECK(unwanted.constraint() == "no_x");
    CHECK(unwanted.is_check_violation("no_x"));
    CHECK_FALSE(unwanted.is_check_violation("one_email"));
    CHECK(unwanted.is_data_error());
    CHECK_FALSE(unwanted.is_unique_violation());

    const DatabaseError unreadable = error_of([&] {
        connection.run({"to_date", "SELECT $1::date"}, "secret@example.com");
    });
    CHECK(unreadable.is_data_error());
    CHECK_THAT(unreadable.what(), Contains("to_date") && Contains("22007") && !Contains("secret"));

    CHECK(connection.run(one).front().get<int>(0) == 1);
}

TEST_CASE("a statement prepared before its table changed is prepared again") {
    const support::TestDatabase database(support::TestDatabase::Content::nothing);
    postgres::Connection connection = database.connection();
    connection.execute("CREATE TABLE t (n int); INSERT INTO t VALUES (1)");
    CHECK(connection.run(all_of_t).front().get<int>(0) == 1);

    connection.execute("ALTER TABLE t ALTER n TYPE text USING 'now text'");
    CHECK(connection.run(all_of_t).front().get<std::string>(0) == "now text");
    CHECK(connection.run(all_of_t).front().get<std::string>(0) == "now text");
}

TEST_CASE("a statement that the server lost or already has is prepared again, as behind a pooler") {
    const support::TestDatabase database(support::TestDatabase::Content::nothing);
    postgres::Connection connection = database.connection();
    CHECK(connection.run(one).front().get<int>(0) == 1);

    connection.execute("DEALLOCATE ALL");
    CHECK(connection.run(one).front().get<int>(0) == 1);

    connection.execute("DISCARD ALL");
    CHECK(connection.run(one).front().get<int>(0) == 1);

    connection.execute("PREPARE all_of_t AS SELECT 'another program''s'; CREATE TABLE t AS SELECT 7 AS n");
    CHECK(connection.run(all_of_t).front().get<int>(0) == 7);
}

TEST_CASE("a statement that somebody else prepared in this session with the same text is used") {
    const support::TestDatabase database(support::TestDatabase::Content::nothing);
    postgres::Connection connection = database.connection();
    const std::string name = postgres::PreparedStatements().use(one).name;
    connection.execute("PREPARE \"" + name + "\" AS SELECT 1");

    CHECK(connection.run(one).front().get<int>(0) == 1);
    CHECK(connection.run({"prepared", "SELECT count(*) FROM pg_prepared_statements WHERE name = $1"}, name)
              .front()
              .get<int>(0) == 1);
}

TEST_CASE("a session prepares no more than it may, and goes on with all statements") {
    const support::TestDatabase database(support::TestDatabase::Content::nothing);
    postgres::Connection connection = database.connection();
    constexpr int statements = 300, most = 256;
    std::vector<std::string> names, texts;
    for (int i = 0; i < statements; ++i) {
        names.push_back("number_" + std::to_string(i));
        texts.push_back("SELECT " + std::to_string(i));
    }
    for (int i = 0; i < 2 * statements; ++i) {
        const auto which = static_cast<std::size_t>(i % statements);
        CHECK(connection.run({names[which].c_str(), texts[which].c_str()}).front().get<int>(0) ==
              static_cast<int>(which));
    }
    CHECK(connection.run({"count", "SELECT count(*) FROM pg_prepared_statements"}).front().get<int>(0) ==
          most);
}

TEST_CASE("a statement that failed at its first use works at its second") {
    const support::TestDatabase database(support::TestDatabase::Content::nothing);
    postgres::Connection connection = database.connection();
    constexpr Statement divide{"divide", "SELECT 6 / $1::int"};

    CHECK_THROWS_AS(connection.run(divide, 0), DatabaseError);
    CHECK(connection.run(divide, 2).front().get<int>(0) == 3);
    CHECK_THROWS_AS(connection.run({"nonsense", "SELEKT"}), DatabaseError);
    CHECK(connection.usable());
}

TEST_CASE("the server ends a statement that exceeds its timeout and the connection lives on") {
    const support::TestDatabase database(support::TestDatabase::Content::nothing);
    auto settings = database.settings();
    settings.statement_timeout = 50ms;
    postgres::Connection connection(settings);

    const DatabaseError error = error_of([&] { connection.run(wait, 5s); });

    CHECK(error.timed_out());
    CHECK_FALSE(error.got_no_answer());
    CHECK(connection.usable());
    CHECK(connection.run(one).front().get<int>(0) == 1);
}

TEST_CASE("a missed deadline closes the connection and nobody reads the late answer") {
    const support::TestDatabase database(support::TestDatabase::Content::nothing);
    auto settings = database.settings();
    settings.query_timeout = 100ms;
    postgres::Connection connection(settings);
    constexpr Statement late{"late", "SELECT 'late' FROM pg_sleep(5)"};

    const auto started = std::chrono::steady_clock::now();
    const DatabaseError error = error_of([&] { connection.run(late); });

    CHECK(std::chrono::steady_clock::now() - started < 2s);
    CHECK(error.timed_out());
    CHECK(error.got_no_answer());
    CHECK(error.sqlstate().empty());
    CHECK_FALSE(connection.usable());
    CHECK(error_of([&] { connection.run(one); }).got_no_answer());
}

TEST_CASE("a large statement and a large answer are exchanged whole") {
    const support::TestDatabase database(support::TestDatabase::Content::nothing);
    postgres::Connection connection = database.connection();
    const std::string text(20'000'000, 'x');

    const postgres::Rows rows = connection.run({"double_it", "SELECT $1::text || $1::text"}, text);

    CHECK(rows.front().get<std::string_view>(0).size() == 2 * text.size());
}

TEST_CASE("a connection whose backend was ended while it rested is stale") {
    const support::TestDatabase database(support::TestDatabase::Content::nothing);
    postgres::Connection connection = database.connection();
    postgres::Connection other = database.connection();
    CHECK_FALSE(connection.is_stale());

    other.run(terminate, connection.backend_pid());

    CHECK(support::eventually([&] { return connection.is_stale(); }));
    const DatabaseError error = error_of([&] { connection.run(one); });
    CHECK(error.got_no_answer());
    CHECK_FALSE(connection.usable());
}

TEST_CASE("a connection whose backend is ended in the middle of a statement is lost", "[threads]") {
    const support::TestDatabase database(support::TestDatabase::Content::nothing);
    postgres::Connection connection = database.connection();
    postgres::Connection other = database.connection();
    std::thread killer([&other, pid = connection.backend_pid()] {
        constexpr Statement sleeping{
            "sleeping", "SELECT count(*) FROM pg_stat_activity WHERE pid = $1 AND wait_event = 'PgSleep'"};
        while (other.run(sleeping, pid).front().get<int>(0) == 0) std::this_thread::yield();
        other.run(terminate, pid);
    });

    const DatabaseError error = error_of([&] { connection.run(wait, 10s); });
    killer.join();

    CHECK(error.got_no_answer());
    CHECK(error.sqlstate() == "57P01");
    CHECK_FALSE(connection.usable());
}

TEST_CASE("connecting fails in time and says why without the password") {
    const std::string nobody = "postgresql://someone:topsecret@127.0.0.1:1/x";
    CHECK_THAT(error_of([&] { postgres::Connection({.url = nobody}); }).what(),
               Contains("refused") && !Contains("topsecret"));
    for (const char* malformed : {"postgresql://u:top@secret@h/x", "postgresql://u:top/secret@h/x",
                                  "postgresql://u:topsecret%zz@h/x", "no=such option"}) {
        const DatabaseError error = error_of([&] { postgres::Connection({.url = malformed}); });
        CHECK(error.got_no_answer());
        CHECK_THAT(error.what(), Contains("malformed") && !Contains("secret"));
    }
}

TEST_CASE("a server that accepts and says nothing is given up at the connect timeout", "[threads]") {
    const support::TestDatabase database(support::TestDatabase::Content::nothing);
    support::TcpGate gate("127.0.0.1", database.port());
    gate.stall();
    auto settings = database.settings();
    settings.url = support::through(settings.url, gate.port());
    settings.connect_timeout = 100ms;

    const auto started = std::chrono::steady_clock::now();
    const DatabaseError error = error_of([&] { postgres::Connection connection(settings); });

    CHECK(error.timed_out());
    CHECK(std::chrono::steady_clock::now() - started < 2s);
}

TEST_CASE("of several servers one that says nothing does not keep us from the next", "[threads]") {
    const support::TestDatabase database(support::TestDatabase::Content::nothing);
    support::TcpGate silent("127.0.0.1", database.port());
    silent.stall();
    auto settings = database.settings();
    settings.url += (settings.url.find('?') == std::string::npos ? "?" : "&") +
                    ("host=127.0.0.1,127.0.0.1&port=" + std::to_string(silent.port())) + "," +
                    std::to_string(database.port()) + "&target_session_attrs=read-write";
    settings.connect_timeout = 1s;
    postgres::Connection connection(settings);
    CHECK(connection.usable());
}

TEST_CASE("whatever a connection does is observed with its name and outcome") {
    using Outcome = postgres::Observation::Outcome;
    const support::TestDatabase database(support::TestDatabase::Content::nothing);
    std::vector<std::pair<std::string, Outcome>> seen;
    auto settings = database.settings();
    settings.query_timeout = 300ms;
    postgres::Connection connection(
        settings, [&](const postgres::Observation& it) { seen.emplace_back(it.name, it.outcome); });

    connection.run(one);
    CHECK_THROWS_AS(connection.run({"nonsense", "SELEKT"}), DatabaseError);
    CHECK_THROWS_AS(connection.run(wait, 5s), DatabaseError);
    CHECK_THROWS_AS(connection.run(one), DatabaseError);

    CHECK(seen == std::vector<std::pair<std::string, Outcome>>{{"connect", Outcome::done},
                                                               {"one", Outcome::done},
                                                               {"nonsense", Outcome::failed},
                                                               {"wait", Outcome::timed_out},
                                                               {"one", Outcome::connection_lost}});
}

TEST_CASE("time in which nobody goes on with an attempt to connect does not count against the server",
          "[threads]") {
    const support::TestDatabase database(support::TestDatabase::Content::nothing);
    support::TcpGate gate("127.0.0.1", database.port());
    auto settings = database.settings();
    settings.url = support::through(database.url(), gate.port());
    settings.connect_timeout = 3s;
    const auto soon = [] { return std::chrono::steady_clock::now() + 10ms; };
    gate.stall();
    postgres::ConnectAttempt attempt(settings);
    CHECK_FALSE(attempt.go_on(soon(), {}));
    std::this_thread::sleep_for(3100ms);
    CHECK_FALSE(attempt.go_on(soon(), {}));
    gate.forward();
    CHECK(attempt.go_on(postgres::Deadline::max(), {}));
    CHECK(gate.accepted() == 1);
}
