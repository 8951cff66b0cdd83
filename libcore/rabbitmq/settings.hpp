// What a publisher or a consumer must know to connect.
#pragma once

#include <chrono>
#include <functional>
#include <string>

#include "libcore/rabbitmq/topology.hpp"
#include "libcore/rabbitmq/url.hpp"

namespace rabbitmq {

struct ConnectionChange {
    bool connected = false;
    std::string reason;  ///< why it was lost or could not be made; empty when made, or closed as asked
};

struct Settings {
    Url url;
    Topology topology;
    std::string client_name;  ///< what `rabbitmqctl list_connections` shows
    std::string ca_certificates = "/etc/ssl/certs/ca-certificates.crt";  ///< PEM; verifies an `amqps` broker
    std::chrono::seconds heartbeat{60};
    std::function<void(const ConnectionChange&)> observe;  ///< called on the owning thread; may be empty
};

}  // namespace rabbitmq
