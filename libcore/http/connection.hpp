// One kept-alive connection to a provider, for one request at a time, on the thread of its origin's executor.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <memory>

#include "libcore/http/exchange.hpp"
#include "libcore/http/origin.hpp"

namespace http {

class Connection {
public:
    using Deadline = std::chrono::steady_clock::time_point;

    /// Connects when there is something to send.
    explicit Connection(std::shared_ptr<Origin> origin);

    /// Sends the request at most once, and answers by the deadline, which covers everything from the lookup
    /// of the name to the last byte of the response. Begin the next one when this one has ended.
    boost::asio::awaitable<Answer> send(Request request, Deadline deadline);

    struct State;

private:
    std::shared_ptr<State> state_;
};

}  // namespace http
