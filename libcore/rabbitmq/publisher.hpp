// Publishes with confirms. Owned by one thread, which blocks in it; only `connected` may be asked by others.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include "libcore/rabbitmq/backoff.hpp"
#include "libcore/rabbitmq/settings.hpp"

namespace rabbitmq {

class Connection;

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

    /// Serves heartbeats and notices a lost connection; never waits, never throws. Call it at least every ten
    /// seconds while there is nothing to publish.
    void keep_alive();

    bool connected() const { return connected_; }

private:
    using Deadline = std::chrono::steady_clock::time_point;

    void attempt(std::chrono::milliseconds timeout, const std::function<void(Deadline)>& work);
    void pause_before_reconnecting(Deadline deadline);
    void connect(Deadline deadline);
    void publish_all(std::span<const std::string> bodies, Deadline deadline);
    /// Not before something was taken again, or nothing had to be for a while: a broker that lets us in and
    /// takes nothing must not look well at each attempt.
    void tell_connected();
    void drop(const std::string& reason);

    Settings settings_;
    std::unique_ptr<Connection> connection_;
    std::uint64_t published_ = 0;  ///< on this connection: the broker numbers confirms from 1
    Backoff backoff_;
    Deadline retry_at_{};
    std::string lost_;  ///< why the last connection was lost
    Deadline not_taken_until_ = Deadline::min();
    bool told_ = false;  ///< that it is connected
    std::atomic<bool> connected_ = false;
};

}  // namespace rabbitmq
