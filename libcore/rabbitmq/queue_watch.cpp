#include "libcore/rabbitmq/queue_watch.hpp"

#include <utility>

#include "libcore/rabbitmq/connection.hpp"
#include "libcore/rabbitmq/error.hpp"

namespace rabbitmq {

QueueWatch::QueueWatch(Settings settings) : settings_(std::move(settings)) {}

QueueWatch::~QueueWatch() {
    try {
        if (connection_) {
            connection_->answer_by(std::chrono::steady_clock::now() + std::chrono::seconds(1));
            connection_->close();
        }
    } catch (const BrokerError&) {  // lost instead of closed: the same to us
    }
}

QueueDepth QueueWatch::look(std::chrono::milliseconds timeout) {
    const auto deadline = std::chrono::steady_clock::now() + timeout;
    // Put back only when it has answered.
    auto connection = std::move(connection_);
    if (!connection) connection = std::make_unique<Connection>(settings_, deadline);
    connection->answer_by(deadline);
    const auto depth = connection->depth(settings_.topology.deliveries());
    connection_ = std::move(connection);
    return depth;
}

}  // namespace rabbitmq
