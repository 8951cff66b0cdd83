// RabbitMQ nodes of a test's own, which it may stop, kill, wipe and fill. All on loopback, with a port
// mapper, cookie and user of their own.
#pragma once

#include <cstdint>
#include <deque>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "tests/support/process.hpp"
#include "tests/support/servers/server_user.hpp"

namespace support {

class BrokerServer {
public:
    /// One cluster of so many nodes, which serves clients when this returns. `settings` are further lines of
    /// rabbitmq.conf.
    explicit BrokerServer(int nodes = 1, const std::string& settings = {});
    ~BrokerServer();
    BrokerServer(const BrokerServer&) = delete;
    BrokerServer& operator=(const BrokerServer&) = delete;

    std::string url(int node = 0) const;
    std::uint16_t port(int node = 0) const;

    /// As an operator stops it.
    void stop(int node = 0);
    void kill(int node = 0);
    /// Forgets everything that a node had stored; it must not be running.
    void wipe(int node = 0);
    /// Returns when it serves clients.
    void start(int node = 0);

    /// Runs rabbitmqctl, a virtual machine of its own for some seconds; gives what it printed.
    std::string control(const std::vector<std::string>& arguments, int node = 0) const;

private:
    struct Node {
        std::string name;
        std::filesystem::path home;
        int port = free_port();
        int distribution_port = free_port();
        std::optional<Process> process;
    };

    void launch(Node& node);
    void await(const Node& node) const;
    std::string url_of(const Node& node) const;
    Environment environment(const Node& node) const;

    ServerFolder folder_{"mq"};
    const int mapper_port_;
    const std::string password_;
    Process mapper_;
    std::deque<Node> nodes_;
};

}  // namespace support
