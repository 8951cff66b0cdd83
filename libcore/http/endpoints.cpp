#include "libcore/http/endpoints.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <utility>

namespace http {
namespace {

namespace asio = boost::asio;

/// Long enough that lanes which reconnect together ask once, short enough to follow a provider that moves.
constexpr std::chrono::seconds believed_for{10};

}  // namespace

Endpoints::Endpoints(const asio::any_io_executor& executor, std::string host, std::uint16_t port)
    : host_(std::move(host)), port_(port), resolver_(executor) {
    boost::system::error_code not_an_address;
    const auto address = asio::ip::make_address(host_, not_an_address);
    is_address_ = !not_an_address;
    if (is_address_) found_.list = {{address, port_}};
}

asio::awaitable<Endpoints::Found> find(std::shared_ptr<Endpoints> endpoints,
                                       Endpoints::Clock::time_point deadline) {
    const bool known = endpoints->is_address_ || Endpoints::Clock::now() < endpoints->fresh_until_;
    if (known) co_return endpoints->found_;

    endpoints->look_up();
    // A lookup cannot be interrupted, so the caller waits beside it.
    auto timer = std::make_shared<asio::steady_timer>(endpoints->resolver_.get_executor(), deadline);
    endpoints->waiting_.push_back(timer);
    const auto [cancelled] = co_await timer->async_wait(asio::as_tuple(asio::use_awaitable));
    if (!cancelled) {
        std::erase(endpoints->waiting_, timer);
        co_return Endpoints::Found{asio::error::timed_out, {}};
    }
    co_return endpoints->found_;
}

void Endpoints::look_up() {
    if (std::exchange(looking_up_, true)) return;
    const auto flags = asio::ip::resolver_base::numeric_service | asio::ip::resolver_base::address_configured;
    resolver_.async_resolve(host_, std::to_string(port_), flags,
                            [weak = weak_from_this()](const auto& error, const auto& results) {
                                if (const auto self = weak.lock()) self->finish(error, results);
                            });
}

void Endpoints::finish(boost::system::error_code error,
                       const asio::ip::tcp::resolver::results_type& results) {
    looking_up_ = false;
    found_ = {error, List(results.begin(), results.end())};
    if (!error) fresh_until_ = Clock::now() + believed_for;
    for (const auto& timer : std::exchange(waiting_, {})) timer->cancel();
}

}  // namespace http
