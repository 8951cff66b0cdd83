// A PostgreSQL of a test's own whose time zone data the test writes: what an update of tzdata does to a
// server, without one of the machine's files being touched.
#pragma once

#include <optional>
#include <string>

#include "tests/support/servers/postgres_server.hpp"
#include "tests/support/servers/server_user.hpp"

namespace support {

/// The server's program is a copy of the machine's in which the path of the zones is another; that needs no
/// privilege and no mount. It has the zones of the machine to begin with.
class ZoneServer {
public:
    ZoneServer();

    /// Of a superuser.
    const std::string& url() const { return server_->url(); }

    /// Compiles a zone and renames it into place, as a package manager does. `rules` is what follows the
    /// zone's name in zic's language: "2:00 - TST".
    void put_zone(const std::string& name, const std::string& rules) const;
    void drop_zone(const std::string& name) const;

private:
    /// The path of the zones in it takes the place of the machine's, and must not be longer.
    const ServerFolder folder_{"tz"};
    std::optional<PostgresServer> server_;
};

}  // namespace support
