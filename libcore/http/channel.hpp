// The socket under a connection, with or without TLS, and the one deadline over all that happens on it.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <string_view>

#include "libcore/http/exchange.hpp"
#include "libcore/http/origin.hpp"

namespace http {

/// Always held by a shared_ptr: coroutines and the deadline keep it.
class Channel : public std::enable_shared_from_this<Channel> {
public:
    using Clock = std::chrono::steady_clock;

    explicit Channel(std::shared_ptr<Origin> origin);

    /// At the deadline the socket is closed, which ends whatever is under way on it, and what follows.
    void set_deadline(Clock::time_point deadline);
    void clear_deadline() { deadline_ = Clock::time_point::max(); }
    /// Also when nobody has come to act upon it: a process that was stopped wakes up behind its deadline.
    bool expired() const { return expired_ || Clock::now() >= deadline_; }

    /// False when the peer has closed or reset the connection, or sent what nobody asked for.
    bool is_quiet();
    void close();

    struct Transferred {
        boost::system::error_code error;
        std::size_t count = 0;
    };
    friend boost::asio::awaitable<std::optional<Failure>> connect(std::shared_ptr<Channel> channel);
    friend boost::asio::awaitable<std::optional<Failure>> handshake(std::shared_ptr<Channel> channel);
    friend boost::asio::awaitable<Transferred> write(std::shared_ptr<Channel> channel,
                                                     std::string_view bytes);
    friend boost::asio::awaitable<Transferred> read_some(std::shared_ptr<Channel> channel,
                                                         boost::asio::mutable_buffer space);

    const Origin& origin() const { return *origin_; }

private:
    void watch();

    std::shared_ptr<Origin> origin_;
    boost::asio::ip::tcp::socket socket_;
    std::optional<boost::asio::ssl::stream<boost::asio::ip::tcp::socket&>> tls_;
    boost::asio::steady_timer timer_;
    bool watching_ = false;
    Clock::time_point deadline_ = Clock::time_point::max();
    bool expired_ = false;
};

/// A new connection in place of the old; the failures are those of a request that was not sent.
boost::asio::awaitable<std::optional<Failure>> connect(std::shared_ptr<Channel> channel);
/// All bytes, unless an error comes first: then how many the system took. `bytes` must live until then.
boost::asio::awaitable<Channel::Transferred> write(std::shared_ptr<Channel> channel, std::string_view bytes);
boost::asio::awaitable<Channel::Transferred> read_some(std::shared_ptr<Channel> channel,
                                                       boost::asio::mutable_buffer space);

}  // namespace http
