// The addresses behind a host name, looked up once for all connections and believed for a few seconds. Lives
// on one thread; the lookup itself runs on a thread of Asio's.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace http {

class Endpoints : public std::enable_shared_from_this<Endpoints> {
public:
    using Clock = std::chrono::steady_clock;
    using List = std::vector<boost::asio::ip::tcp::endpoint>;

    Endpoints(const boost::asio::any_io_executor& executor, std::string host, std::uint16_t port);

    /// Never empty without an error; `timed_out` when the deadline comes before the answer.
    struct Found {
        boost::system::error_code error;
        List list;
    };
    friend boost::asio::awaitable<Found> find(std::shared_ptr<Endpoints> endpoints,
                                              Clock::time_point deadline);

    /// Makes the next `find` look again: nobody answered at these addresses.
    void forget() { fresh_until_ = {}; }

private:
    void look_up();
    void finish(boost::system::error_code error, const boost::asio::ip::tcp::resolver::results_type& results);

    const std::string host_;
    const std::uint16_t port_;
    boost::asio::ip::tcp::resolver resolver_;
    bool is_address_ = false;
    bool looking_up_ = false;
    std::vector<std::shared_ptr<boost::asio::steady_timer>> waiting_;
    Found found_;
    Clock::time_point fresh_until_{};
};

boost::asio::awaitable<Endpoints::Found> find(std::shared_ptr<Endpoints> endpoints,
                                              Endpoints::Clock::time_point deadline);

}  // namespace http
