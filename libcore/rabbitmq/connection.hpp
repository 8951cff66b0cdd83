// One AMQP connection with its one channel, for `Publisher` and `Consumer` only; connection.cpp is where
// <amqp.h> ends. Owned by one thread. After a BrokerError from any function the connection is good for
// nothing but destruction.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "libcore/rabbitmq/ack_window.hpp"
#include "libcore/rabbitmq/settings.hpp"

struct amqp_connection_state_t_;
struct amqp_frame_t_;

namespace rabbitmq {

using Deadline = std::chrono::steady_clock::time_point;

struct Delivery {
    std::uint64_t tag = 0;
    bool redelivered = false;
    std::string body;
};

class Connection {
public:
    /// Connects, logs in and declares the topology. Only the name lookup is not bounded by the deadline.
    Connection(const Settings& settings, Deadline deadline);
    ~Connection();
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    int socket() const;

    /// Bounds the answers to the requests below; initially the constructor's deadline.
    void answer_by(Deadline deadline);

    QueueDepth depth(const std::string& queue);
    void select_confirms();
    void consume(const std::string& queue, std::uint16_t prefetch);
    void cancel();
    void close();

    /// Publishes the first few messages, as many as the socket surely takes without blocking, and says how
    /// many. Wait until the socket is writable before.
    std::size_t publish(const std::string& queue, std::span<const std::string> bodies);
    void ack(const Ack& ack);
    void reject(std::uint64_t tag);

    /// What has arrived, without waiting; both serve heartbeats. They throw when the broker closed the
    /// channel or the connection, cancelled the consumer, refused or returned a message, or blocked
    /// publishing.
    std::optional<Ack> next_confirm();
    std::optional<Delivery> next_delivery();

private:
    struct Destroy {
        void operator()(amqp_connection_state_t_* state) const;
    };

    void open_socket(const Settings& settings);
    void log_in(const Settings& settings);
    void declare(const Topology& topology);
    /// For a request: its answer is awaited until the deadline.
    amqp_connection_state_t_* request();
    bool next_frame(amqp_frame_t_& frame);

    /// With one system call, past rabbitmq-c: not possible where it encrypts.
    std::size_t publish_together(const std::string& queue, std::span<const std::string> bodies);
    std::size_t publish_each(const std::string& queue, std::span<const std::string> bodies);
    void send_all(std::string_view wire);

    std::unique_ptr<amqp_connection_state_t_, Destroy> state_;
    const bool tls_;
    Deadline deadline_;
    std::optional<Delivery> arriving_;  ///< its method has been read, its content not completely
    std::uint64_t missing_ = 0;         ///< bytes of that content
};

}  // namespace rabbitmq
