#include "tests/support/servers/server_user.hpp"

#include <grp.h>
#include <pwd.h>
#include <unistd.h>

#include <cstdlib>
#include <stdexcept>
#include <system_error>

namespace support {

namespace fs = std::filesystem;

const std::string as_server_user = "/usr/bin/setpriv";

ServerFolder::ServerFolder(const std::string& name) {
    std::string path = "/tmp/" + name + "-XXXXXX";
    if (::mkdtemp(path.data()) == nullptr) throw std::runtime_error("no folder for a server");
    path_ = path;
    give_to_server_user(path_);
}

ServerFolder::~ServerFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
}

std::vector<std::string> server_command(const std::string& program,
                                        const std::vector<std::string>& arguments) {
    std::vector<std::string> command{"--"};
    // A change of user undoes what Process has asked of the kernel.
    if (::geteuid() == 0)
        command = {"--reuid=nobody", "--regid=nogroup", "--clear-groups", "--pdeathsig=KILL", "--"};
    command.push_back(program);
    command.insert(command.end(), arguments.begin(), arguments.end());
    return command;
}

void give_to_server_user(const fs::path& path) {
    if (::geteuid() != 0) return;
    const passwd* user = ::getpwnam("nobody");
    const group* group = ::getgrnam("nogroup");
    if (user == nullptr || group == nullptr || ::chown(path.c_str(), user->pw_uid, group->gr_gid) != 0)
        throw std::runtime_error("cannot give " + path.string() + " to nobody");
}

}  // namespace support
