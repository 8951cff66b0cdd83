#include "tests/support/servers/postgres_server.hpp"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <thread>
#include <utility>

#include "libcore/postgres/connection.hpp"
#include "tests/support/eventually.hpp"

namespace support {

namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

const fs::path programs = "/usr/lib/postgresql/15/bin";
const Environment environment{{"LANG", "C.UTF-8"}};
// Of a machine whose two cores are busy.
constexpr auto long_start = 60s;

constexpr postgres::Statement in_step{
    "in_step", "SELECT count(*) FROM pg_stat_replication WHERE sync_state IN ('sync', 'quorum')"};
constexpr postgres::Statement is_streaming{"is_streaming",
                                           "SELECT EXISTS (SELECT FROM pg_stat_wal_receiver)"};
constexpr postgres::Statement replay_state{"replay_state",
                                           "SELECT pg_get_wal_replay_pause_state() = 'paused'"};
constexpr postgres::Statement takes_no_writes{
    "takes_no_writes", "SELECT current_setting('default_transaction_read_only') = 'on'"};
constexpr postgres::Statement promote_standby{"promote_standby", "SELECT pg_promote(true, 60)"};

void run_as_server(const std::string& program, const std::vector<std::string>& arguments) {
    const auto done = run(as_server_user, server_command(programs / program, arguments), environment);
    if (done.exit_code != 0) throw std::runtime_error(program + ": " + done.output);
}

/// The first of a server's processes makes all others, each with a group of its own.
std::vector<pid_t> children_of(pid_t first) {
    const auto number = std::to_string(first);
    std::ifstream file("/proc/" + number + "/task/" + number + "/children");
    return {std::istream_iterator<pid_t>(file), {}};
}

/// Whether or not somebody has noticed.
bool has_ended(pid_t process) {
    std::ifstream words("/proc/" + std::to_string(process) + "/cmdline");
    return words.peek() == std::ifstream::traits_type::eof();
}

}  // namespace

bool answers(const std::string& url) {
    try {
        postgres::Connection connection({.url = url});
        return true;
    } catch (const postgres::DatabaseError&) {
        return false;
    }
}

PostgresServer::PostgresServer(fs::path program)
    : program_(program.empty() ? programs / "postgres" : std::move(program)),
      url_("postgresql:///postgres?host=" + folder() + "&port=5432&user=postgres") {
    make_database();
    start();
}

// PostgreSQL wants a key that is its user's alone.
PostgresServer::PostgresServer(const Certificate& certificate)
    : program_(programs / "postgres"),
      port_(free_port()),
      url_("postgresql:///postgres?host=" + folder() + "&port=" + std::to_string(port_) + "&user=postgres") {
    make_database();
    for (const auto& [from, to] : {std::pair(certificate.certificate(), "/data/server.crt"),
                                   std::pair(certificate.key(), "/data/server.key")}) {
        fs::copy_file(from, folder() + to);
        fs::permissions(folder() + to, fs::perms::owner_read);
        give_to_server_user(folder() + to);
    }
    start();
}

void PostgresServer::make_database() const {
    run_as_server("initdb", {"--pgdata=" + folder() + "/data", "--username=postgres", "--auth=trust",
                             "--no-sync", "--encoding=UTF8", "--locale=C.UTF-8"});
}

PostgresServer::PostgresServer(StandbyOf standby_of)
    : program_(standby_of.primary.program_),
      url_("postgresql:///postgres?host=" + folder() + "&port=5432&user=postgres"),
      settings_(std::move(standby_of.settings)) {
    run_as_server("pg_basebackup",
                  {"--pgdata=" + folder() + "/data", "--host=" + standby_of.primary.folder(), "--port=5432",
                   "--username=postgres", "--write-recovery-conf", "--checkpoint=fast", "--no-sync"});
    start();
    postgres::Connection primary({.url = standby_of.primary.url()});
    if (standby_of.in_step) {
        primary.execute("ALTER SYSTEM SET synchronous_standby_names = '*'");
        primary.execute("SELECT pg_reload_conf()");
    }
    postgres::Connection sql({.url = url_});
    if (!eventually(
            [&] {
                return standby_of.in_step ? primary.run(in_step).front().get<int>(0) == 1
                                          : sql.run(is_streaming).front().get<bool>(0);
            },
            long_start))
        throw std::runtime_error("the standby does not follow: " + server_->log());
}

PostgresServer::~PostgresServer() {
    if (!server_) return;
    thaw();
    server_->send_signal(SIGINT);  // its fast shutdown
    eventually([&] { return !server_->running(); });
}

std::string PostgresServer::url_of_either(const PostgresServer& one, const PostgresServer& other) {
    return "postgresql:///postgres?host=" + one.folder() + "," + other.folder() +
           "&port=5432,5432&user=postgres&target_session_attrs=read-write";
}

void PostgresServer::crash() {
    server_->send_signal(SIGQUIT);  // its immediate shutdown; its children would outlive a SIGKILL
    server_->wait_for_exit();
}

void PostgresServer::kill() {
    signal_all(SIGSTOP);  // so that none is made while they are counted
    const auto children = children_of(server_->pid());
    for (const pid_t child : children) ::kill(child, SIGKILL);
    server_->send_signal(SIGKILL);
    server_->wait_for_exit();
    // Their memory is what the next start objects to.
    if (!eventually([&] { return std::ranges::all_of(children, has_ended); }))
        throw std::runtime_error("postgres: its processes do not end");
}

void PostgresServer::freeze() const {
    signal_all(SIGSTOP);
}

void PostgresServer::thaw() const {
    signal_all(SIGCONT);
}

void PostgresServer::signal_all(int signal) const {
    server_->send_signal(signal);
    for (const pid_t child : children_of(server_->pid())) ::kill(child, signal);
}

void PostgresServer::start() {
    std::vector<std::string> arguments{"-D",
                                       folder() + "/data",
                                       "--port=" + std::to_string(port_ == 0 ? 5432 : port_),
                                       port_ == 0 ? "--listen_addresses=" : "--listen_addresses=127.0.0.1",
                                       port_ == 0 ? "--ssl=off" : "--ssl=on",
                                       "--unix_socket_directories=" + folder(),
                                       "--fsync=off",
                                       "--timezone=UTC",
                                       "--log_timezone=UTC"};
    for (const auto& setting : settings_) arguments.push_back("--" + setting);
    for (int tries = 0; tries < 20; ++tries) {
        server_.emplace(as_server_user, server_command(program_, arguments), environment);
        if (!eventually([&] { return answers(url_) || !server_->running(); }, long_start)) break;
        if (server_->running()) return;
        // A child that was being made while all were killed holds their memory until it sees that it is
        // alone.
        if (server_->log().find("is still in use") == std::string::npos) break;
        std::this_thread::sleep_for(100ms);
    }
    throw std::runtime_error("postgres: " + server_->log());
}

void PostgresServer::pause_replay() const {
    postgres::Connection sql({.url = url_});
    sql.execute("SELECT pg_wal_replay_pause()");
    if (!eventually([&] { return sql.run(replay_state).front().get<bool>(0); }))
        throw std::runtime_error("the standby goes on replaying");
}

void PostgresServer::resume_replay() const {
    postgres::Connection({.url = url_}).execute("SELECT pg_wal_replay_resume()");
}

void PostgresServer::refuse_writes() const {
    postgres::Connection sql({.url = url_});
    sql.execute("ALTER SYSTEM SET default_transaction_read_only = on");
    sql.execute("SELECT pg_reload_conf()");
    const auto refuses = [&] {
        return postgres::Connection({.url = url_}).run(takes_no_writes).front().get<bool>(0);
    };
    if (!eventually(refuses)) throw std::runtime_error("the server goes on taking writes");
}

void PostgresServer::promote() const {
    postgres::Connection sql({.url = url_, .statement_timeout = long_start, .query_timeout = long_start});
    if (!sql.run(promote_standby).front().get<bool>(0)) throw std::runtime_error("the standby stays one");
}

}  // namespace support
