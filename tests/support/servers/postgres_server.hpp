// A PostgreSQL of a test's own, which it may crash, kill, freeze, restart, copy by standbys and replace by
// one.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "tests/support/certificate.hpp"
#include "tests/support/process.hpp"
#include "tests/support/servers/server_user.hpp"

namespace support {

/// One can connect.
bool answers(const std::string& url);

/// Runs from the end of the constructor, reached through a Unix socket in its folder. It ends with this
/// object, and its data with it.
class PostgresServer {
public:
    PostgresServer() : PostgresServer(std::filesystem::path()) {}
    /// With another program than the machine's; an empty path is the machine's.
    explicit PostgresServer(std::filesystem::path program);
    /// A standby of a primary, which it follows by streaming from the end of the constructor.
    struct StandbyOf {
        const PostgresServer& primary;
        /// From now on the primary acknowledges nothing that the standby has not got.
        bool in_step = true;
        /// More of the server's settings: "hot_standby_feedback=on".
        std::vector<std::string> settings = {};
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

    /// Without a checkpoint: what a crash does. Its sessions hear of it.
    void crash();
    /// All of its processes at once, and nobody hears a word.
    void kill();
    /// After a crash or a kill. Returns when it answers.
    void start();

    /// All of its processes stand still, with every connection open; then they go on.
    void freeze() const;
    void thaw() const;

    /// A standby goes on receiving, and shows nothing of it. Returns when it stands.
    void pause_replay() const;
    void resume_replay() const;
    /// A standby becomes the primary; returns when it takes writes.
    void promote() const;
    /// Its sessions live on and take no writes any more, like those of a primary that was replaced.
    void refuse_writes() const;

private:
    void make_database() const;
    void signal_all(int signal) const;
    std::string folder() const { return folder_.path().string(); }

    ServerFolder folder_{"pg"};
    const std::filesystem::path program_;
    const int port_ = 0;
    const std::string url_;
    std::vector<std::string> settings_ = {};
    std::optional<Process> server_;
};

}  // namespace support
