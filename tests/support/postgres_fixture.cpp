#include "tests/support/postgres_fixture.hpp"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <functional>
#include <stdexcept>
#include <string_view>

#include "libcore/postgres/migrator.hpp"

namespace support {

namespace {

std::string server_url() {
    const char* url = std::getenv("TEST_DATABASE_URL");
    if (!url || std::string_view(url).find("://") == std::string_view::npos)
        throw std::runtime_error(
            "TEST_DATABASE_URL must be the postgresql:// URL of a superuser on a test server");
    return url;
}

// With deadlines for a machine that is busy with other tests and with compiling.
postgres::Connection administrator(const std::string& server) {
    return postgres::Connection({.url = server,
                                 .application_name = "tidings tests",
                                 .statement_timeout = std::chrono::seconds(60),
                                 .query_timeout = std::chrono::seconds(61)});
}

/// Other migrations, another template.
std::string template_name() {
    std::string all;
    for (const postgres::Migration& migration : postgres::embedded_migrations()) all += migration.sql;
    return "tidings_template_" + std::to_string(std::hash<std::string>{}(all));
}

/// Migrates under another name first: a template that has its name is whole, whatever process died meanwhile.
void ensure_template(postgres::Connection& administrator, const std::string& server,
                     const std::string& name) {
    static constexpr postgres::Statement exists{"database_exists",
                                                "SELECT FROM pg_database WHERE datname = $1"};
    administrator.execute("SELECT pg_advisory_lock(hashtext('tidings_template'))");
    if (administrator.run(exists, name).empty()) {
        const std::string unfinished = name + "_unfinished";
        administrator.execute("DROP DATABASE IF EXISTS " + unfinished + " WITH (FORCE)");
        administrator.execute("CREATE DATABASE " + unfinished);
        postgres::migrate({.url = with_database(server, unfinished)});
        administrator.execute("ALTER DATABASE " + unfinished + " RENAME TO " + name);
    }
    administrator.execute("SELECT pg_advisory_unlock(hashtext('tidings_template'))");
}

std::string unused_name() {
    static std::atomic<int> count{0};
    return "tidings_test_" + std::to_string(getpid()) + "_" + std::to_string(++count);
}

}  // namespace

std::string with_database(const std::string& url, const std::string& name) {
    const auto host = url.find("://") + 3;
    const auto query = std::min(url.find('?', host), url.size());
    const auto path = std::min(url.find('/', host), query);
    return url.substr(0, path) + "/" + name + url.substr(query);
}

std::string through(const std::string& url, int port) {
    return url + (url.find('?') == std::string::npos ? "?" : "&") +
           "host=127.0.0.1&port=" + std::to_string(port);
}

TestDatabase::TestDatabase(Content content) : TestDatabase(server_url(), content) {}

TestDatabase::TestDatabase(const std::string& server, Content content)
    : server_(server), name_(unused_name()), url_(with_database(server, name_)) {
    postgres::Connection connection = administrator(server_);
    std::string origin = "template0";
    if (content == Content::migrated) ensure_template(connection, server_, origin = template_name());
    connection.execute("DROP DATABASE IF EXISTS " + name_ + " WITH (FORCE)");
    connection.execute("CREATE DATABASE " + name_ + " TEMPLATE " + origin);
}

TestDatabase::~TestDatabase() {
    try {
        administrator(server_).execute("DROP DATABASE IF EXISTS " + name_ + " WITH (FORCE)");
    } catch (const std::exception& error) {
        std::fprintf(stderr, "%s was left behind: %s\n", name_.c_str(), error.what());
    }
}

std::uint16_t TestDatabase::port() const {
    static constexpr postgres::Statement port{"port", "SELECT current_setting('port')::int"};
    return static_cast<std::uint16_t>(connection().run(port).front().get<int>(0));
}

postgres::ConnectionSettings TestDatabase::settings() const {
    return {.url = url_, .application_name = "tidings tests"};
}

}  // namespace support
