// A PostgreSQL of a test's own, which it may crash, restart and replace by a standby.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "tests/support/certificate.hpp"
#include "tests/support/process.hpp"
#include "tests/support/servers/server_user.hpp"

namespace support {

/// Runs from the end of the constructor, reached through a Unix socket in its folder. It ends with this
/// object, and its data with it.
class PostgresServer {
public:
    PostgresServer() : PostgresServer(std::filesystem::path()) {}
    /// With another program than the machine's; an empty path is the machine's.
    explicit PostgresServer(std::filesystem::path program);
    /// A standby of a primary, which from now on acknowledges nothing that the standby has not got.
    struct StandbyOf {
        const PostgresServer& primary;
    };
    explicit PostgresServer(StandbyOf standby_of);
    /// One that can also be reached on a loopback port, over TLS.
    explicit PostgresServer(const Certificate& certificate);
    ~PostgresServer();
    PostgresServer(const PostgresServer&) = delete;
    PostgresServer& operator=(const PostgresServer&) = delete;

    /// Of a superuser.
    const std::string& url() const { return url_; }
    /// On loopback; 0 without a certificate.
    int port() const { return port_; }
    /// Of whichever of the two takes writes.
    static std::string url_of_either(const PostgresServer& one, const PostgresServer& other);

    /// Without a checkpoint and without a word to anybody: what a crash does.
    void crash();
    /// After a crash. Returns when it answers.
    void start();
    /// A standby becomes the primary; returns when it takes writes.
    void promote() const;

private:
    void make_database() const;
    std::string folder() const { return folder_.path().string(); }

    ServerFolder folder_{"pg"};
    const std::filesystem::path program_;
    const int port_ = 0;
    const std::string url_;
    std::optional<Process> server_;
};

}  // namespace support
