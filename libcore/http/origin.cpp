#include "libcore/http/origin.hpp"

#include <boost/asio/ssl/context_base.hpp>
#include <boost/asio/ssl/verify_mode.hpp>
#include <stdexcept>
#include <utility>

namespace http {
namespace {

namespace ssl = boost::asio::ssl;

ssl::context client_context(const std::string& ca_file) {
    ssl::context context(ssl::context::tls_client);
    SSL_CTX_set_min_proto_version(context.native_handle(), TLS1_2_VERSION);
    context.set_verify_mode(ssl::verify_peer);
    boost::system::error_code error;
    if (ca_file.empty()) {
        context.set_default_verify_paths(error);
    } else {
        context.load_verify_file(ca_file, error);
    }
    if (error)
        throw std::runtime_error("cannot use the certificates in '" + ca_file + "': " + error.message());
    return context;
}

}  // namespace

Origin::Origin(boost::asio::any_io_executor executor_, const Url& url_, const std::string& ca_file)
    : executor(std::move(executor_)),
      url(url_),
      host_header(http::host_header(url_)),
      endpoints(std::make_shared<Endpoints>(executor, url_.host, url_.port)) {
    if (url.tls) tls.emplace(client_context(ca_file));
}

}  // namespace http
