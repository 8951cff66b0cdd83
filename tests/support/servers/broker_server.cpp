#include "tests/support/servers/broker_server.hpp"

#include <fstream>
#include <random>
#include <stdexcept>

#include "tests/support/amqp_fixture.hpp"
#include "tests/support/eventually.hpp"

namespace support {

namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

const std::string programs = "/usr/lib/rabbitmq/bin/";
constexpr auto long_start = 120s;  // of a virtual machine while two busy cores have other work

std::string secret() {
    std::random_device random;
    std::string text;
    for (int word = 0; word < 4; ++word) text += std::to_string(random());
    return text;
}

void write(const fs::path& file, const std::string& text, fs::perms permissions) {
    std::ofstream(file) << text;
    fs::permissions(file, permissions);
    give_to_server_user(file);
}

}  // namespace

BrokerServer::BrokerServer(int nodes, const std::string& settings)
    : mapper_port_(free_port()),
      password_(secret()),
      mapper_(as_server_user, server_command("/usr/bin/epmd", {"-port", std::to_string(mapper_port_)}),
              {{"ERL_EPMD_ADDRESS", "127.0.0.1"}}) {
    const auto cookie = secret();
    std::string configuration = settings + "\ndefault_user = tests\ndefault_pass = " + password_ +
                                "\ncluster_formation.peer_discovery_backend = classic_config\n";
    for (int number = 1; number <= nodes; ++number) {
        const auto digits = std::to_string(number);
        Node& node = nodes_.emplace_back();
        node.name = "test-" + std::to_string(mapper_port_) + "-" + digits + "@localhost";
        node.home = folder_.path() / digits;
        configuration += "cluster_formation.classic_config.nodes." + digits + " = " + node.name + "\n";
    }
    for (Node& node : nodes_) {
        fs::create_directory(node.home);
        give_to_server_user(node.home);
        write(node.home / ".erlang.cookie", cookie, fs::perms::owner_read);
        write(node.home / "enabled_plugins", "[].\n", fs::perms::owner_read);
        write(node.home / "rabbitmq.conf", configuration, fs::perms::owner_read);
        launch(node);
        // The second finds a cluster to join, instead of making another one at the same moment.
        await(node);
    }
}

BrokerServer::~BrokerServer() = default;

std::string BrokerServer::url(int node) const {
    return url_of(nodes_.at(static_cast<std::size_t>(node)));
}

std::string BrokerServer::url_of(const Node& node) const {
    return "amqp://tests:" + password_ + "@127.0.0.1:" + std::to_string(node.port) + "/%2F";
}

std::uint16_t BrokerServer::port(int node) const {
    return static_cast<std::uint16_t>(nodes_.at(static_cast<std::size_t>(node)).port);
}

void BrokerServer::stop(int node) {
    Process& process = *nodes_.at(static_cast<std::size_t>(node)).process;
    process.send_signal(SIGTERM);
    process.wait_for_exit(long_start);
}

void BrokerServer::kill(int node) {
    Process& process = *nodes_.at(static_cast<std::size_t>(node)).process;
    process.send_signal(SIGKILL);
    process.wait_for_exit();
}

void BrokerServer::wipe(int node) {
    fs::remove_all(nodes_.at(static_cast<std::size_t>(node)).home / "data");
}

void BrokerServer::start(int node) {
    Node& starting = nodes_.at(static_cast<std::size_t>(node));
    launch(starting);
    await(starting);
}

std::string BrokerServer::control(const std::vector<std::string>& arguments, int node) const {
    auto command = server_command(programs + "rabbitmqctl", {"--quiet"});
    command.insert(command.end(), arguments.begin(), arguments.end());
    const auto done =
        run(as_server_user, command, environment(nodes_.at(static_cast<std::size_t>(node))), long_start);
    if (done.exit_code != 0) throw std::runtime_error("rabbitmqctl: " + done.output);
    return done.output;
}

void BrokerServer::launch(Node& node) {
    node.process.emplace(as_server_user, server_command(programs + "rabbitmq-server"), environment(node));
}

void BrokerServer::await(const Node& node) const {
    if (!eventually([&] { return AmqpFixture::answers(url_of(node)); }, long_start))
        throw std::runtime_error("rabbitmq: " + node.process->log());
}

// RUNNING_UNDER_SYSTEMD makes the script become the virtual machine instead of guarding it as a child.
Environment BrokerServer::environment(const Node& node) const {
    const std::string home = node.home;
    return {{"HOME", home},
            {"LANG", "C.UTF-8"},
            {"RABBITMQ_NODENAME", node.name},
            {"RABBITMQ_CONF_ENV_FILE", "/dev/null"},
            {"RABBITMQ_CONFIG_FILE", home + "/rabbitmq.conf"},
            {"RABBITMQ_ENABLED_PLUGINS_FILE", home + "/enabled_plugins"},
            {"RABBITMQ_MNESIA_BASE", home + "/data"},
            {"RABBITMQ_LOG_BASE", home},
            {"RABBITMQ_LOGS", "-"},
            {"RABBITMQ_NODE_IP_ADDRESS", "127.0.0.1"},
            {"RABBITMQ_NODE_PORT", std::to_string(node.port)},
            {"RABBITMQ_DIST_PORT", std::to_string(node.distribution_port)},
            {"ERL_EPMD_PORT", std::to_string(mapper_port_)},
            {"ERL_EPMD_ADDRESS", "127.0.0.1"},
            {"RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", "-kernel inet_dist_use_interface {127,0,0,1}"},
            {"RUNNING_UNDER_SYSTEMD", "true"}};
}

}  // namespace support
