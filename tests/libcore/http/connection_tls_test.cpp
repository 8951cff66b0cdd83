#include <array>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "tests/libcore/http/client.hpp"
#include "tests/libcore/http/raw_server.hpp"

using namespace std::chrono_literals;
using Kind = http::Failure::Kind;
namespace ssl = boost::asio::ssl;

namespace {

/// A self-signed certificate for `localhost`, made anew and removed with this.
class Certificate {
public:
    Certificate() {
        std::string name = (std::filesystem::temp_directory_path() / "tidings-tls-XXXXXX").string();
        if (!mkdtemp(name.data())) throw std::runtime_error("cannot make " + name);
        folder_ = name;
        const auto command =
            "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 "
            "-subj /CN=localhost -addext subjectAltName=DNS:localhost -keyout " +
            key() + " -out " + certificate() + " 2>/dev/null";
        if (std::system(command.c_str()) != 0) throw std::runtime_error("openssl req failed");
    }
    ~Certificate() { std::filesystem::remove_all(folder_); }

    std::string certificate() const { return (folder_ / "certificate.pem").string(); }
    std::string key() const { return (folder_ / "key.pem").string(); }

private:
    std::filesystem::path folder_;
};

/// Answers every request of a connection, over TLS.
class TlsServer {
public:
    explicit TlsServer(const Certificate& certificate) {
        context_.use_certificate_chain_file(certificate.certificate());
        context_.use_private_key_file(certificate.key(), ssl::context::pem);
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
        ssl::stream<tcp::socket&> stream(socket, context_);
        stream.handshake(ssl::stream_base::server);
        for (;;) {
            read_request(stream);
            write_bytes(stream, "HTTP/1.1 200 OK\r\nContent-Length: 16\r\n\r\n{\"success\":true}");
        }
    }

    ssl::context context_{ssl::context::tls_server};
    std::string server_name_;
    RawServer server_{[this](tcp::socket& socket) { serve(socket); }};
};

}  // namespace

TEST_CASE("a request goes over TLS and the next one over the same connection") {
    const Certificate certificate;
    const TlsServer server(certificate);
    Client client(server.url("localhost"), certificate.certificate());
    for (int i = 0; i < 10; ++i) CHECK(response(client.post()).body == R"({"success":true})");
    CHECK(server.connections() == 1);
    CHECK(server.server_name() == "localhost");
}

TEST_CASE("a certificate for another name is refused and nothing is sent") {
    const Certificate certificate;
    const TlsServer server(certificate);
    Client client(server.url("127.0.0.1"), certificate.certificate());
    const auto refused = failure(client.post());
    CHECK(refused.kind == Kind::tls);
    CHECK_FALSE(refused.written);
}

TEST_CASE("a certificate of an unknown authority is refused and nothing is sent") {
    const Certificate certificate;
    const TlsServer server(certificate);
    Client client(server.url("localhost"));
    const auto refused = failure(client.post());
    CHECK(refused.kind == Kind::tls);
    CHECK_FALSE(refused.written);
}

TEST_CASE("a server that speaks no TLS is refused and nothing is sent") {
    RawServer server([](tcp::socket& socket) {
        std::array<char, 100> hello;
        socket.read_some(boost::asio::buffer(hello));
        write_bytes(socket, "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
    });
    Client client("https://127.0.0.1:" + std::to_string(server.port()));
    const auto refused = failure(client.post());
    CHECK(refused.kind == Kind::tls);
    CHECK_FALSE(refused.written);
}

TEST_CASE("a TLS handshake that nobody answers ends at the deadline and nothing is sent") {
    RawServer server(wait_for_close);
    Client client("https://127.0.0.1:" + std::to_string(server.port()));
    const auto unanswered = failure(client.post("key", 200ms));
    CHECK(unanswered.kind == Kind::connect_timeout);
    CHECK_FALSE(unanswered.written);
}

TEST_CASE("a file that holds no certificate is an error at the start") {
    CHECK_THROWS_WITH(Client("https://localhost", "/nowhere/ca.pem"), Catch::Contains("/nowhere/ca.pem"));
}
