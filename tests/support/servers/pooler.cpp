#include "tests/support/servers/pooler.hpp"

#include <csignal>
#include <fstream>
#include <stdexcept>

#include "libcore/postgres/url.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/servers/postgres_server.hpp"

namespace support {

namespace {

std::string configured(const std::string& folder, const std::string& server_url, int connections,
                       Pooler::Options options, int clients) {
    auto server = postgres::options_of_url(server_url);
    const std::string file = folder + "/pgbouncer.ini";
    std::ofstream(file) << "[databases]\n"
                        << server["dbname"] << " = host=127.0.0.1 port=" << server["port"]
                        << " user=" << server["user"]
                        << (server["password"].empty() ? "" : " password=" + server["password"])
                        << "\n[pgbouncer]\nlisten_addr =\nlisten_port = 6432\nunix_socket_dir = " << folder
                        << "\nauth_type = any\npool_mode = transaction\nmax_client_conn = " << clients
                        << "\ndefault_pool_size = " << connections << "\n"
                        << (options == Pooler::Options::ignored ? "ignore_startup_parameters = options\n"
                                                                : "");
    give_to_server_user(file);
    return file;
}

}  // namespace

Pooler::Pooler(const std::string& server_url, int connections, Options options, int clients)
    : url_("postgresql:///" + postgres::options_of_url(server_url)["dbname"] +
           "?host=" + folder_.path().string() + "&port=6432&user=anybody"),
      process_(as_server_user,
               server_command("/usr/sbin/pgbouncer", {configured(folder_.path().string(), server_url,
                                                                 connections, options, clients)}),
               {}) {
    if (!eventually([&] { return answers(url_); })) throw std::runtime_error("pgbouncer: " + process_.log());
}

Pooler::~Pooler() {
    process_.send_signal(SIGTERM);
    eventually([&] { return !process_.running(); });
}

}  // namespace support
