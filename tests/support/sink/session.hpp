// One client's connection to the sink: HTTP/1.1, kept alive, pipelining allowed.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "tests/support/sink/provider.hpp"

namespace sink {

struct Session {
    Session(boost::asio::ip::tcp::socket socket_, Provider& provider_,
            std::function<void(std::chrono::milliseconds)> begin_outage_);

    boost::asio::ip::tcp::socket socket;
    Provider& provider;
    std::function<void(std::chrono::milliseconds)> begin_outage;

    boost::beast::flat_buffer received;
    std::optional<boost::beast::http::request_parser<boost::beast::http::string_body>> parser;
    std::string outgoing;
};

/// Until either side closes.
boost::asio::awaitable<void> serve(std::shared_ptr<Session> session);

}  // namespace sink
