// A loopback proxy in front of a real server that a test can make misbehave. It runs a thread of its own;
// every function may be called from any thread and has taken effect when it returns.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace support {

class TcpGate {
public:
    /// Starts forwarding to the server at once, which need not exist yet.
    TcpGate(const std::string& upstream_host, std::uint16_t upstream_port);
    ~TcpGate();

    /// Where the client connects: 127.0.0.1 and this port.
    std::uint16_t port() const;

    /// Undoes stall, stall_answers, refuse and delay.
    void forward();
    /// Connections stay open, and new ones are accepted, but no byte moves in either direction.
    void stall();
    /// The server hears everything, and no answer comes through once a client has sent more than so many
    /// bytes on its connection.
    void stall_answers(std::size_t after);
    /// Whatever comes, from either side, goes on so much later, in its order; also what ends a connection.
    void delay(std::chrono::milliseconds span);
    /// Resets every open connection; new ones are forwarded.
    void cut();
    /// Every client hears that the server has nothing more to say, while what he sends still reaches it.
    void half_close();
    /// Resets every open connection, and every new one on arrival.
    void refuse();
    /// Cuts as soon as this many more bytes have been forwarded from clients.
    void cut_after(std::size_t bytes);
    /// Sends bytes to every client as if the server had; sensible between two messages of the server.
    void speak_as_server(const std::string& bytes);

    /// Open connections now, and those ever accepted.
    std::size_t open() const;
    std::size_t accepted() const;

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace support
