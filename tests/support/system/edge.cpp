#include "tests/support/system/edge.hpp"

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <stdexcept>

#include "tests/support/eventually.hpp"
#include "tests/support/http_client.hpp"

namespace support {

namespace {

std::filesystem::path new_folder() {
    std::string name = std::filesystem::temp_directory_path() / "tidings-edge-XXXXXX";
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("no folder for nginx");
    return name;
}

void replace(std::string& text, const std::string& shipped, const std::string& here) {
    if (text.find(shipped) == std::string::npos) throw std::runtime_error("nginx.conf has no " + shipped);
    for (auto at = text.find(shipped); at != std::string::npos; at = text.find(shipped, at + here.size()))
        text.replace(at, shipped.size(), here);
}

void copy(const std::string& name, const std::filesystem::path& to,
          const std::vector<std::pair<std::string, std::string>>& replacements) {
    std::ostringstream shipped;
    shipped << std::ifstream(std::string(TIDINGS_SOURCE) + "/deploy/nginx/" + name).rdbuf();
    std::string text = shipped.str();
    for (const auto& [from, here] : replacements) replace(text, from, here);
    std::ofstream(to) << text;
}

std::filesystem::path configured(const std::filesystem::path& folder, int port, int upstream_port,
                                 const std::string& directives) {
    copy("nginx.conf", folder / "nginx.conf",
         {{"api:3000", "127.0.0.1:" + std::to_string(upstream_port)},
          {" /tmp/", " " + folder.string() + "/"}});
    copy("http.conf", folder / "listen.conf",
         {{"listen 8080;", "listen 127.0.0.1:" + std::to_string(port) + ";" + directives}});
    return folder;
}

bool listens(int port) {
    try {
        return http_get(port, "/").status == 404;
    } catch (const std::runtime_error&) {
        return false;
    }
}

}  // namespace

Edge::Edge(int upstream_port, const std::string& directives)
    : port_(free_port()),
      folder_(configured(new_folder(), port_, upstream_port, directives)),
      nginx_("/usr/sbin/nginx",
             {"-c", folder_ / "nginx.conf", "-e", "stderr", "-g", "daemon off; master_process off;"}, {}) {
    if (!eventually([&] { return listens(port_); })) throw std::runtime_error("nginx: " + nginx_.log());
}

Edge::~Edge() {
    nginx_.send_signal(SIGTERM);
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
}

}  // namespace support
