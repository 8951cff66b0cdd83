// Publishes with confirms. Owned by one thread, which blocks in it; only `connected` may be asked by others.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "libcore/rabbitmq/backoff.hpp"
#include "libcore/rabbitmq/settings.hpp"

namespace rabbitmq {

class Connection;

struct QueueDepth {
    std::uint32_t ready = 0;  ///< messages not in any consumer's hands
    std::uint32_t consumers = 0;
};

/// Connects when first needed, and again after every failure, after a jittered pause that the timeout of the
/// call bounds. A failed call has dropped its connection.
class Publisher {
public:
    explicit Publisher(Settings settings);
    ~Publisher();

    /// Publishes all to the deliveries queue, persistent and mandatory, and returns when the broker has
    /// confirmed every one. Otherwise throws BrokerError: any of them may be in the queue or not. A body has
    /// at most 64 KiB.
    void publish(std::span<const std::string> bodies, std::chrono::milliseconds timeout);

    /// Of the deliveries queue. Throws BrokerError.
    QueueDepth depth(std::chrono::milliseconds timeout);

    /// Serves heartbeats and notices a lost connection or a blocked broker; never waits, never throws. Call
    /// it at least every ten seconds while there is nothing to publish.
    void keep_alive() noexcept;

    bool connected() const { return connected_; }

private:
    using Deadline = std::chrono::steady_clock::time_point;

    Connection& connect(Deadline deadline);
    void publish_all(Connection& connection, std::span<const std::string> bodies, Deadline deadline);
    void drop(const std::string& reason);

    Settings settings_;
    Backoff backoff_;
    std::chrono::steady_clock::time_point retry_at_{};
    std::unique_ptr<Connection> connection_;
    std::uint64_t published_ = 0;  ///< on this connection: the broker numbers confirms from 1
    std::atomic<bool> connected_ = false;
};

}  // namespace rabbitmq
