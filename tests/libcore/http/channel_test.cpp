#include "libcore/http/channel.hpp"

#include <atomic>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <catch2/catch.hpp>

#include "tests/libcore/http/raw_server.hpp"
#include "tests/support/eventually.hpp"

namespace {

namespace asio = boost::asio;

template <class T>
T run(asio::io_context& io, asio::awaitable<T> work) {
    std::optional<T> result;
    asio::co_spawn(io, std::move(work), [&](std::exception_ptr, T done) { result = std::move(done); });
    io.restart();
    while (!result) io.run_one();
    return *result;
}

}  // namespace

TEST_CASE("a write into a connection that was reset takes no byte") {
    std::atomic<bool> connected = false;
    std::atomic<bool> closed = false;
    RawServer server([&](tcp::socket& socket) {
        support::eventually([&] { return connected.load(); });
        socket.set_option(asio::socket_base::linger(true, 0));
        socket.close();
        closed = true;
    });
    asio::io_context io{1};
    const auto origin =
        std::make_shared<http::Origin>(io.get_executor(), http::parse_url(server.url()).value());
    const auto channel = std::make_shared<http::Channel>(origin);
    REQUIRE_FALSE(run(io, connect(channel)));
    connected = true;
    REQUIRE(support::eventually([&] { return closed.load(); }));

    CHECK_FALSE(channel->is_quiet());
    const auto written = run(io, write(channel, "POST"));
    CHECK(written.error);
    CHECK(written.count == 0);
}
