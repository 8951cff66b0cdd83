#include "tests/support/zone_server.hpp"

#include <grp.h>
#include <pwd.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <system_error>
#include <vector>

#include "libcore/postgres/connection.hpp"
#include "tests/support/eventually.hpp"

namespace support {

namespace {

namespace fs = std::filesystem;

const fs::path programs = "/usr/lib/postgresql/15/bin";
const std::string setpriv = "/usr/bin/setpriv";
const std::string machines_zones = "/usr/share/zoneinfo";

/// Short: the path of the zones in it takes the place of the machine's.
fs::path new_folder() {
    std::string name = "/tmp/tz-XXXXXX";
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("no folder for a server");
    return name;
}

std::string content_of(const fs::path& file) {
    std::ifstream stream(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), {}};
}

void copy_server(const fs::path& to, const std::string& zones) {
    std::string program = content_of(programs / "postgres");
    const std::string compiled_in = '\0' + machines_zones + '\0';
    const auto at = program.find(compiled_in);
    if (at == std::string::npos || zones.size() > machines_zones.size() ||
        program.find(compiled_in, at + 1) != std::string::npos)
        throw std::runtime_error("postgres does not hold the path of the zones as expected");
    program.replace(at + 1, machines_zones.size(),
                    zones + std::string(machines_zones.size() - zones.size(), '\0'));
    std::ofstream(to, std::ios::binary) << program;
    fs::permissions(to, static_cast<fs::perms>(0755));
}

/// PostgreSQL refuses to run as root.
std::vector<std::string> as_server_user(const std::string& program, std::vector<std::string> arguments) {
    std::vector<std::string> command{"--"};
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

bool answers(const std::string& url) {
    try {
        postgres::Connection connection({.url = url});
        return true;
    } catch (const postgres::DatabaseError&) {
        return false;
    }
}

}  // namespace

ZoneServer::ZoneServer()
    : folder_(new_folder()),
      url_("postgresql:///postgres?host=" + folder_.string() + "&port=5432&user=postgres") {
    give_to_server_user(folder_);
    fs::copy(machines_zones, folder_ / "tz", fs::copy_options::recursive | fs::copy_options::copy_symlinks);
    copy_server(folder_ / "postgres", folder_ / "tz");
    const std::string data = folder_ / "data";
    const Environment environment{{"LANG", "C.UTF-8"}};
    const auto initdb =
        run(setpriv,
            as_server_user(programs / "initdb", {"--pgdata=" + data, "--username=postgres", "--auth=trust",
                                                 "--no-sync", "--encoding=UTF8", "--locale=C.UTF-8"}),
            environment);
    if (initdb.exit_code != 0) throw std::runtime_error("initdb: " + initdb.output);
    server_.emplace(setpriv,
                    as_server_user(folder_ / "postgres",
                                   {"-D", data, "--port=5432",
                                    "--listen_addresses=", "--unix_socket_directories=" + folder_.string(),
                                    "--fsync=off", "--timezone=UTC", "--log_timezone=UTC"}),
                    environment);
    if (!eventually([&] { return answers(url_); })) throw std::runtime_error("postgres: " + server_->log());
}

ZoneServer::~ZoneServer() {
    if (server_) {
        server_->send_signal(SIGINT);  // its fast shutdown
        eventually([&] { return !server_->running(); });
    }
    std::error_code ignored;
    fs::remove_all(folder_, ignored);
}

void ZoneServer::put_zone(const std::string& name, const std::string& rules) const {
    const auto source = folder_ / "source";
    std::ofstream(source) << "Zone " << name << ' ' << rules << '\n';
    const auto zic = run("/usr/sbin/zic", {"-d", folder_ / "compiled", source}, {});
    if (zic.exit_code != 0) throw std::runtime_error("zic: " + zic.output);
    fs::create_directories((folder_ / "tz" / name).parent_path());
    fs::rename(folder_ / "compiled" / name, folder_ / "tz" / name);
}

void ZoneServer::drop_zone(const std::string& name) const {
    fs::remove(folder_ / "tz" / name);
}

}  // namespace support
