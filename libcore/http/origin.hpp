// One provider as all connections to it see it: what it is called, where it listens, whom its certificate
// must name. Lives on the thread of its executor, like its connections.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/ssl/context.hpp>
#include <memory>
#include <optional>
#include <string>

#include "libcore/http/endpoints.hpp"
#include "libcore/http/url.hpp"

namespace http {

struct Origin {
    /// The certificate must be signed by one in `ca_file`, or by the system's roots when that is empty.
    /// Throws std::runtime_error when the file cannot be used.
    Origin(boost::asio::any_io_executor executor_, const Url& url_, const std::string& ca_file = {});

    boost::asio::any_io_executor executor;
    Url url;
    std::string host_header;
    std::shared_ptr<Endpoints> endpoints;
    std::optional<boost::asio::ssl::context> tls;
};

}  // namespace http
