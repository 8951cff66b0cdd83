// A PgBouncer of a test's own in transaction mode, in front of a server.
#pragma once

#include <string>

#include "tests/support/process.hpp"
#include "tests/support/servers/server_user.hpp"

namespace support {

class Pooler {
public:
    /// What it does with startup parameters that it does not know, as it comes or as it may be set.
    enum class Options { refused, ignored };

    /// It shares so many connections to the server, on loopback, and the database of the URL out among its
    /// clients, of which it lets so many in.
    Pooler(const std::string& server_url, int connections, Options options = Options::refused,
           int clients = 200);
    ~Pooler();
    Pooler(const Pooler&) = delete;
    Pooler& operator=(const Pooler&) = delete;

    /// The same database by way of the pooler.
    const std::string& url() const { return url_; }

private:
    ServerFolder folder_{"pgb"};
    const std::string url_;
    Process process_;
};

}  // namespace support
