// A server that answers with whatever bytes a test wants, one connection at a time, on a thread of its own.
#pragma once

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>
#include <functional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

using boost::asio::ip::tcp;

class RawServer {
public:
    using Serve = std::function<void(tcp::socket&)>;

    explicit RawServer(Serve serve) : serve_(std::move(serve)), thread_([this] { accept(); }) {}

    ~RawServer() {
        stopping_ = true;
        boost::system::error_code ignored;
        tcp::socket(io_).connect(acceptor_.local_endpoint(), ignored);  // wakes a blocking accept
        thread_.join();
    }

    std::uint16_t port() const { return acceptor_.local_endpoint().port(); }
    std::string url() const { return "http://127.0.0.1:" + std::to_string(port()); }
    int connections() const { return connections_; }

private:
    void accept() {
        while (true) {
            auto socket = acceptor_.accept();
            if (stopping_) return;
            ++connections_;
            try {
                serve_(socket);
            } catch (const boost::system::system_error&) {
                // The client went away, as some tests want.
            }
        }
    }

    Serve serve_;
    std::atomic<bool> stopping_ = false;
    std::atomic<int> connections_ = 0;
    boost::asio::io_context io_;
    tcp::acceptor acceptor_{io_, {boost::asio::ip::make_address("127.0.0.1"), 0}};
    std::thread thread_;
};

/// One request of a known Content-Length, header and body.
template <class Stream>
std::string read_request(Stream& stream) {
    std::string bytes;
    const auto header_end = boost::asio::read_until(stream, boost::asio::dynamic_buffer(bytes), "\r\n\r\n");
    constexpr std::string_view field = "Content-Length: ";
    const auto size = std::stoul(bytes.substr(bytes.find(field) + field.size()));
    const auto missing = header_end + size - bytes.size();
    boost::asio::read(stream, boost::asio::dynamic_buffer(bytes), boost::asio::transfer_exactly(missing));
    return bytes;
}

template <class Stream>
void write_bytes(Stream& stream, std::string_view bytes) {
    boost::asio::write(stream, boost::asio::buffer(bytes));
}

/// Until the client closes.
inline void wait_for_close(tcp::socket& socket) {
    boost::system::error_code error;
    char byte = 0;
    while (!error) socket.read_some(boost::asio::buffer(&byte, 1), error);
}

/// Answers one request per connection with these bytes, then closes.
inline RawServer::Serve answering(std::string bytes) {
    return [bytes = std::move(bytes)](tcp::socket& socket) {
        read_request(socket);
        write_bytes(socket, bytes);
    };
}
