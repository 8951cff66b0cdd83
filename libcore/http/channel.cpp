#include "libcore/http/channel.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <string>
#include <utility>

namespace http {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;

constexpr auto as_result = asio::as_tuple(asio::use_awaitable);

/// This machine has nothing left to connect with: no file, no port, no memory.
bool is_want_of_resources(boost::system::error_code error) {
    namespace errc = boost::system::errc;
    return error == errc::too_many_files_open || error == errc::too_many_files_open_in_system ||
           error == errc::no_buffer_space || error == errc::not_enough_memory ||
           error == errc::address_not_available;
}

Failure::Kind kind_of(boost::system::error_code error) {
    if (is_want_of_resources(error)) return Failure::Kind::no_resources;
    if (error == asio::error::connection_refused) return Failure::Kind::refused;
    if (error == asio::error::timed_out) return Failure::Kind::connect_timeout;
    if (error == asio::error::connection_reset) return Failure::Kind::reset;
    return Failure::Kind::unreachable;
}

}  // namespace

Channel::Channel(std::shared_ptr<Origin> origin)
    : origin_(std::move(origin)), socket_(origin_->executor), timer_(origin_->executor) {}

void Channel::set_deadline(Clock::time_point deadline) {
    expired_ = false;
    deadline_ = deadline;
    watch();
}

// A timer that would fire too early is left to run, and set again when it does: a busy connection then
// touches its timer once in a deadline's length and not once in a request.
void Channel::watch() {
    if (watching_ && timer_.expiry() <= deadline_) return;
    watching_ = true;
    timer_.expires_at(deadline_);
    timer_.async_wait([weak = weak_from_this()](boost::system::error_code cancelled) {
        const auto self = weak.lock();
        if (cancelled || !self) return;
        self->watching_ = false;
        if (self->deadline_ == Clock::time_point::max()) return;
        if (Clock::now() < self->deadline_) return self->watch();
        self->expired_ = true;
        self->close();
    });
}

bool Channel::is_quiet() {
    char byte = 0;
    boost::system::error_code error;
    socket_.receive(asio::buffer(&byte, 1), tcp::socket::message_peek, error);
    return error == asio::error::would_block;
}

void Channel::close() {
    boost::system::error_code ignored;
    socket_.close(ignored);
}

asio::awaitable<std::optional<Failure>> connect(std::shared_ptr<Channel> channel) {
    channel->close();
    const auto deadline = channel->deadline_;
    const auto found = co_await find(channel->origin_->endpoints, deadline);
    if (found.error) co_return Failure{Failure::Kind::dns, false, "lookup: " + found.error.message()};

    // Each address gets its share of the time, so that one which never answers does not hide the next.
    boost::system::error_code error;
    auto left = static_cast<Channel::Clock::rep>(found.list.size());
    for (const auto& endpoint : found.list) {
        const auto now = Channel::Clock::now();
        channel->set_deadline(now + (deadline - now) / left--);
        channel->close();
        const auto [failed] = co_await channel->socket_.async_connect(endpoint, as_result);
        error = channel->expired_ ? asio::error::timed_out : failed;
        if (!error) break;
    }
    if (error) {
        channel->origin_->endpoints->forget();
        co_return Failure{kind_of(error), false, "connect: " + error.message()};
    }

    channel->set_deadline(deadline);
    channel->socket_.set_option(tcp::no_delay(true), error);
    if (!error) channel->socket_.non_blocking(true, error);  // for is_quiet
    if (error) co_return Failure{Failure::Kind::reset, false, "connect: " + error.message()};
    if (!channel->origin_->tls) co_return std::nullopt;
    auto refused = co_await handshake(channel);
    co_return refused;
}

asio::awaitable<std::optional<Failure>> handshake(std::shared_ptr<Channel> channel) {
    const auto& host = channel->origin_->url.host;
    auto& stream = channel->tls_.emplace(channel->socket_, *channel->origin_->tls);
    stream.set_verify_callback(asio::ssl::host_name_verification(host));
    boost::system::error_code not_an_address;
    asio::ip::make_address(host, not_an_address);
    // RFC 6066, 3: an address is not a server name.
    if (not_an_address) SSL_set_tlsext_host_name(stream.native_handle(), host.c_str());

    const auto [error] = co_await stream.async_handshake(asio::ssl::stream_base::client, as_result);
    if (channel->expired_) co_return Failure{Failure::Kind::connect_timeout, false, "TLS: no answer in time"};
    if (error) co_return Failure{Failure::Kind::tls, false, "TLS: " + error.message()};
    co_return std::nullopt;
}

asio::awaitable<Channel::Transferred> write(std::shared_ptr<Channel> channel, std::string_view bytes) {
    if (channel->tls_) {
        const auto [error, count] =
            co_await asio::async_write(*channel->tls_, asio::buffer(bytes), as_result);
        co_return Channel::Transferred{error, count};
    }
    const auto [error, count] = co_await asio::async_write(channel->socket_, asio::buffer(bytes), as_result);
    co_return Channel::Transferred{error, count};
}

asio::awaitable<Channel::Transferred> read_some(std::shared_ptr<Channel> channel,
                                                asio::mutable_buffer space) {
    if (channel->tls_) {
        const auto [error, count] = co_await channel->tls_->async_read_some(space, as_result);
        co_return Channel::Transferred{error, count};
    }
    const auto [error, count] = co_await channel->socket_.async_read_some(space, as_result);
    co_return Channel::Transferred{error, count};
}

}  // namespace http
