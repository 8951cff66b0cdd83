#include "tests/bench/http_load.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <charconv>
#include <exception>
#include <stdexcept>
#include <string_view>

namespace bench {

namespace asio = boost::asio;
using Tcp = asio::ip::tcp;
using Clock = std::chrono::steady_clock;

namespace {

// A request that is not answered this long after the end counts as an error.
constexpr auto patience = std::chrono::seconds(10);
constexpr std::string_view length_header = "\r\nContent-Length: ";

/// What is known when the header is complete: the status, and how many bytes the whole response has.
struct Head {
    int status = 0;
    std::size_t size = 0;
};

Head parse_head(std::string_view head) {
    Head parsed;
    if (head.size() > 12) std::from_chars(head.data() + 9, head.data() + 12, parsed.status);
    std::size_t body = 0;
    if (const auto found = head.find(length_header); found != std::string_view::npos)
        std::from_chars(head.data() + found + length_header.size(), head.data() + head.size(), body);
    parsed.size = head.size() + body;
    return parsed;
}

asio::awaitable<void> converse(Tcp::socket* socket, const Load* load, LoadResult* result,
                               Clock::time_point end) {
    std::string received;
    while (Clock::now() < end) {
        const std::string request = load->next_request();
        const auto sent_at = Clock::now();
        co_await asio::async_write(*socket, asio::buffer(request), asio::use_awaitable);
        const std::size_t head_size = co_await asio::async_read_until(*socket, asio::dynamic_buffer(received),
                                                                      "\r\n\r\n", asio::use_awaitable);
        const Head head = parse_head(std::string_view(received).substr(0, head_size));
        if (received.size() < head.size) {
            const std::size_t missing = head.size - received.size();
            co_await asio::async_read(*socket, asio::dynamic_buffer(received),
                                      asio::transfer_exactly(missing), asio::use_awaitable);
        }
        received.clear();
        if (head.status != load->expected_status) throw std::runtime_error("another status");
        ++result->answered;
        result->milliseconds.push_back(
            std::chrono::duration<double, std::milli>(Clock::now() - sent_at).count());
    }
}

}  // namespace

LoadResult drive(const Load& load) {
    asio::io_context io(1);
    LoadResult result;
    std::vector<Tcp::socket> sockets;
    sockets.reserve(static_cast<std::size_t>(load.connections));
    for (int i = 0; i < load.connections; ++i) {
        sockets.emplace_back(io).connect(
            {asio::ip::address_v4::loopback(), static_cast<std::uint16_t>(load.port)});
        sockets.back().set_option(Tcp::no_delay(true));
    }
    const auto start = Clock::now();
    int unfinished = load.connections;
    for (Tcp::socket& socket : sockets) {
        asio::co_spawn(io, converse(&socket, &load, &result, start + load.duration),
                       [&](std::exception_ptr error) {
                           --unfinished;
                           result.errors += error ? 1 : 0;
                       });
    }
    io.run_for(load.duration + patience);
    result.errors += unfinished;
    result.seconds = std::chrono::duration<double>(Clock::now() - start).count();
    return result;
}

}  // namespace bench
