// An HTTP/1.1 server on Pistache, whose types end here: handlers see plain structs. Defends against what the
// library does wrong with hostile or unusual framing, so that it is safe without the proxy it normally stands
// behind.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "libcore/runtime/http_reply.hpp"
#include "libcore/runtime/http_request.hpp"

namespace runtime {

class HttpServer {
public:
    struct Settings {
        std::string name = "http";  ///< of its threads, and in its log lines
        std::string bind = "127.0.0.1";
        std::uint16_t port = 0;  ///< 0: any free one
        int threads = 2;
        std::size_t max_request_size = 64 * 1024;  ///< head and body; above the proxy's limit
        /// More are closed at once. Never above half of the files this process may have open, so that a flood
        /// leaves enough for all else.
        int max_connections = 10'000;
        std::chrono::milliseconds request_timeout{10'000};  ///< to receive head and body
        std::chrono::milliseconds keep_alive_timeout{
            75'000};  ///< longer than the proxy keeps idle connections
        std::chrono::milliseconds drain_timeout{10'000};
    };

    /// Runs on the server's threads, several at once. What it throws is logged and answered with a bare 500.
    using Handle = std::function<Reply(const Request&)>;

    /// Listens when the constructor returns; throws std::system_error or std::runtime_error if it cannot.
    HttpServer(const Settings& settings, Handle handle);
    HttpServer(const HttpServer&) = delete;
    HttpServer& operator=(const HttpServer&) = delete;
    ~HttpServer();

    /// The bound port.
    std::uint16_t port() const;
    /// Requests inside the handler.
    int in_flight() const;
    /// New requests are answered 503 and closed; those in hand are finished, at most for the drain timeout;
    /// then the threads end. A second call does nothing.
    void stop();

private:
    class Server;
    std::unique_ptr<Server> server_;
};

}  // namespace runtime
