// Databases of their own for tests, on the server of TEST_DATABASE_URL (a superuser's URL).
#pragma once

#include <cstdint>
#include <string>

#include "libcore/postgres/connection.hpp"
#include "libcore/postgres/pool.hpp"

namespace support {

/// The same server and user, another database.
std::string with_database(const std::string& url, const std::string& name);

/// The same database by way of a loopback port, such as a gate's.
std::string through(const std::string& url, int port);

/// One database; dropped at the end, together with whatever is still connected to it.
class TestDatabase {
public:
    enum class Content { migrated, nothing };

    /// A migrated one is a clone of a template that all test processes share.
    explicit TestDatabase(Content content = Content::migrated);
    /// On another server, given by a superuser's URL.
    explicit TestDatabase(const std::string& server, Content content = Content::migrated);
    ~TestDatabase();
    TestDatabase(const TestDatabase&) = delete;
    TestDatabase& operator=(const TestDatabase&) = delete;

    const std::string& url() const { return url_; }
    /// The server's, on 127.0.0.1.
    std::uint16_t port() const;

    postgres::ConnectionSettings settings() const;
    postgres::Connection connection() const { return postgres::Connection(settings()); }
    /// All of them for anybody, as soon as somebody wants them.
    postgres::Pool pool(int max = 4) const {
        return postgres::Pool({.connection = settings(), .max = max, .reserve = 0, .connects_per_second = 0});
    }

private:
    std::string server_;
    std::string name_;
    std::string url_;
};

}  // namespace support
