// Asks how the deliveries queue is, on a connection of its own: a question that fails costs nobody a
// connection who works with the queue. Owned by one thread, which blocks in it.
#pragma once

#include <chrono>
#include <memory>

#include "libcore/rabbitmq/settings.hpp"

namespace rabbitmq {

class Connection;

class QueueWatch {
public:
    /// `observe` of the settings is told nothing.
    explicit QueueWatch(Settings settings);
    ~QueueWatch();

    /// Connects when there is no connection. Throws BrokerError, and has dropped its connection then. Within
    /// the timeout, but for the look-up of a name; at least every ten seconds, for the heartbeats.
    QueueDepth look(std::chrono::milliseconds timeout);

private:
    Settings settings_;
    std::unique_ptr<Connection> connection_;
};

}  // namespace rabbitmq
