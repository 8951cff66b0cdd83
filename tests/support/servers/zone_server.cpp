#include "tests/support/servers/zone_server.hpp"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>

#include "tests/support/process.hpp"

namespace support {

namespace {

namespace fs = std::filesystem;

const fs::path machines_program = "/usr/lib/postgresql/15/bin/postgres";
const std::string machines_zones = "/usr/share/zoneinfo";

std::string content_of(const fs::path& file) {
    std::ifstream stream(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), {}};
}

void copy_server(const fs::path& to, const std::string& zones) {
    std::string program = content_of(machines_program);
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

}  // namespace

ZoneServer::ZoneServer() {
    const auto& folder = folder_.path();
    fs::copy(machines_zones, folder / "tz", fs::copy_options::recursive | fs::copy_options::copy_symlinks);
    copy_server(folder / "postgres", folder / "tz");
    server_.emplace(folder / "postgres");
}

void ZoneServer::put_zone(const std::string& name, const std::string& rules) const {
    const auto& folder = folder_.path();
    const auto source = folder / "source";
    std::ofstream(source) << "Zone " << name << ' ' << rules << '\n';
    const auto zic = run("/usr/sbin/zic", {"-d", folder / "compiled", source}, {});
    if (zic.exit_code != 0) throw std::runtime_error("zic: " + zic.output);
    fs::create_directories((folder / "tz" / name).parent_path());
    fs::rename(folder / "compiled" / name, folder / "tz" / name);
}

void ZoneServer::drop_zone(const std::string& name) const {
    fs::remove(folder_.path() / "tz" / name);
}

}  // namespace support
