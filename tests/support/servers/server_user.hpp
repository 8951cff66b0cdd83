// What every server of a test's own needs: a folder that ends with it, and a user that is not root.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace support {

/// `/tmp/NAME-XXXXXX`, which only the servers' user and root can enter; removed with all that is in it.
/// Short, as the path of a Unix socket has room for 107 bytes.
class ServerFolder {
public:
    explicit ServerFolder(const std::string& name);
    ~ServerFolder();
    ServerFolder(const ServerFolder&) = delete;
    ServerFolder& operator=(const ServerFolder&) = delete;

    const std::filesystem::path& path() const { return path_; }

private:
    std::filesystem::path path_;
};

/// The command that runs a program as `nobody` when we are root, whom PostgreSQL and RabbitMQ refuse; for
/// `Process` and `run`. What it starts ends with the thread that started it.
extern const std::string as_server_user;
std::vector<std::string> server_command(const std::string& program,
                                        const std::vector<std::string>& arguments = {});

void give_to_server_user(const std::filesystem::path& path);

}  // namespace support
