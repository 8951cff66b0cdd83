// An HTTPS server for tests, with a certificate made for it.
#pragma once

#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <string>

#include "tests/libcore/http/raw_server.hpp"
#include "tests/support/certificate.hpp"

/// Answers every request of a connection, over TLS.
class TlsServer {
public:
    explicit TlsServer(const support::Certificate& certificate) {
        context_.use_certificate_chain_file(certificate.certificate());
        context_.use_private_key_file(certificate.key(), boost::asio::ssl::context::pem);
        SSL_CTX_set_tlsext_servername_callback(context_.native_handle(), &note_server_name);
        SSL_CTX_set_tlsext_servername_arg(context_.native_handle(), this);
    }

    std::string url(const std::string& host) const {
        return "https://" + host + ':' + std::to_string(server_.port());
    }
    int connections() const { return server_.connections(); }
    /// Read it when an answer has come.
    const std::string& server_name() const { return server_name_; }

private:
    static int note_server_name(SSL* connection, int*, void* self) {
        if (const char* name = SSL_get_servername(connection, TLSEXT_NAMETYPE_host_name)) {
            static_cast<TlsServer*>(self)->server_name_ = name;
        }
        return SSL_TLSEXT_ERR_OK;
    }

    void serve(tcp::socket& socket) {
        boost::asio::ssl::stream<tcp::socket&> stream(socket, context_);
        stream.handshake(boost::asio::ssl::stream_base::server);
        for (;;) {
            read_request(stream);
            write_bytes(stream, "HTTP/1.1 200 OK\r\nContent-Length: 16\r\n\r\n{\"success\":true}");
        }
    }

    boost::asio::ssl::context context_{boost::asio::ssl::context::tls_server};
    std::string server_name_;
    RawServer server_{[this](tcp::socket& socket) { serve(socket); }};
};
