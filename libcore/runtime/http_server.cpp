#include "libcore/runtime/http_server.hpp"

#include <pistache/endpoint.h>
#include <pistache/peer.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <exception>
#include <optional>
#include <thread>
#include <utility>

#include "libcore/runtime/http_reply.hpp"
#include "libcore/runtime/log.hpp"

namespace runtime {
namespace {

using Peer = std::shared_ptr<Pistache::Tcp::Peer>;
using std::chrono::steady_clock;

constexpr int backlog = 1000;
// A client that pipelines requests and does not read the replies is cut off here.
constexpr std::size_t max_unsent_bytes = 1024 * 1024;
constexpr std::size_t kept_buffer_size = 4096;
constexpr const char* connection_key = "connection";

/// What all threads of one server share.
struct Shared {
    HttpServer::Settings settings;
    HttpServer::Handle handle;
    int max_connections = 0;
    log::RateLimit failures{std::chrono::seconds(1)};
    log::RateLimit floods{std::chrono::seconds(1)};
    std::atomic<int> connections = 0;
    std::atomic<bool> stopping = false;
    std::atomic<int> in_flight = 0;
    std::atomic<int> unsent_replies = 0;
    std::atomic<std::thread::id> stopper{};
};

/// Belongs to the thread that serves the connection.
struct Connection {
    Connection(Shared& server, const Peer& peer)
        : shared(server), fd(peer->fd()), address(peer->address().host()) {
        ++shared.connections;
    }
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;
    /// Pistache closes the connections that end while it runs, and leaves those open that outlive it.
    ~Connection() {
        --shared.connections;
        if (std::this_thread::get_id() == shared.stopper.load()) ::close(fd);
    }

    Shared& shared;
    const int fd;
    const std::string address;
    std::string received;
    std::size_t needed = 1;  ///< bytes that must be there before parsing is worth it
    std::size_t unsent_bytes = 0;
    bool continue_sent = false;
    bool closing = false;
};

/// Counts a reply from the moment it is queued until it is on the wire or its connection is gone.
class UnsentReply {
public:
    UnsentReply(std::shared_ptr<Connection> connection, std::size_t size)
        : connection_(std::move(connection)), size_(size) {
        ++connection_->shared.unsent_replies;
        connection_->unsent_bytes += size_;
    }
    UnsentReply(const UnsentReply&) = delete;
    UnsentReply& operator=(const UnsentReply&) = delete;
    ~UnsentReply() {
        --connection_->shared.unsent_replies;
        connection_->unsent_bytes -= size_;
    }

private:
    const std::shared_ptr<Connection> connection_;
    const std::size_t size_;
};

/// Counts a request until its reply is on the wire or queued.
class InFlight {
public:
    explicit InFlight(std::atomic<int>& count) : count_(count) { ++count_; }
    InFlight(const InFlight&) = delete;
    InFlight& operator=(const InFlight&) = delete;
    ~InFlight() { --count_; }

private:
    std::atomic<int>& count_;
};

int connections_to_hold(int wanted) {
    struct rlimit files {};
    if (::getrlimit(RLIMIT_NOFILE, &files) != 0) return wanted;
    const auto half = std::min<rlim_t>(files.rlim_cur / 2, static_cast<rlim_t>(wanted));
    return static_cast<int>(half);
}

/// Pistache takes IPv6 addresses in brackets only.
Pistache::Address address(const HttpServer::Settings& settings) {
    const bool bare_ipv6 = settings.bind.find(':') != std::string::npos && !settings.bind.starts_with('[');
    return {bare_ipv6 ? '[' + settings.bind + ']' : settings.bind, Pistache::Port(settings.port)};
}

/// Takes bytes from Pistache's reactor and gives replies back to it. Its parser, its router and its response
/// writer are left out: what they get wrong cannot be repaired from behind them.
class Connections : public Pistache::Http::Handler {
public:
    HTTP_PROTOTYPE(Connections)

    explicit Connections(Shared& shared) : shared_(&shared) {}

    void onRequest(const Pistache::Http::Request&, Pistache::Http::ResponseWriter) override {}

private:
    void onConnection(const Peer& peer) override {
        const auto connection = std::make_shared<Connection>(*shared_, peer);
        peer->putData(connection_key, connection);
        peer->putData(ParserData, std::make_shared<Pistache::Http::RequestParser>(kept_buffer_size));
        if (shared_->connections > shared_->max_connections) turn_away(*connection);
    }

    /// The reactor closes it as soon as it sees its end.
    void turn_away(Connection& connection) {
        connection.closing = true;
        ::shutdown(connection.fd, SHUT_RDWR);
        if (const auto suppressed = shared_->floods.pass())
            log::warn("too many connections", {{"server", shared_->settings.name},
                                               {"most", shared_->max_connections},
                                               {"suppressed", *suppressed}});
    }

    void onInput(const char* data, std::size_t size, const Peer& peer) override {
        const auto connection = std::static_pointer_cast<Connection>(peer->getData(connection_key));
        if (connection->closing) return;
        if (connection->received.empty()) restart_clock(peer, false);
        connection->received.append(data, size);
        std::size_t consumed = 0;
        while (!connection->closing && connection->received.size() - consumed >= connection->needed)
            consumed += serve_one(std::string_view(connection->received).substr(consumed), peer, connection);
        connection->received.erase(0, consumed);
        if (connection->received.empty() && connection->received.capacity() > kept_buffer_size)
            connection->received.shrink_to_fit();
        if (connection->received.empty() && !connection->closing) restart_clock(peer, true);
    }

    /// The bytes it took.
    std::size_t serve_one(std::string_view received, const Peer& peer,
                          const std::shared_ptr<Connection>& connection) {
        auto parsed = parse_request(received, shared_->settings.max_request_size);
        if (parsed.state == ParsedRequest::State::refused) {
            send(refusal(parsed.status), false, false, peer, connection);
            return received.size();
        }
        connection->needed = parsed.state == ParsedRequest::State::complete ? 1 : parsed.size;
        if (parsed.state == ParsedRequest::State::incomplete) {
            if (parsed.expects_continue && !std::exchange(connection->continue_sent, true))
                enqueue("HTTP/1.1 100 Continue\r\n\r\n", false, peer, connection);
            return 0;
        }
        connection->continue_sent = false;
        parsed.request.peer_address = connection->address;
        const InFlight counted(shared_->in_flight);
        const bool stopping = shared_->stopping;
        const auto reply =
            stopping ? problem(503, "The service is stopping", "stopping") : answer(parsed.request);
        send(reply, parsed.head_only, parsed.keep_alive && !stopping, peer, connection);
        return parsed.size;
    }

    Reply answer(const Request& request) {
        std::string reason = "unknown exception";
        try {
            return shared_->handle(request);
        } catch (const std::exception& error) {
            reason = error.what();
        } catch (...) {
            // Nothing is known about it but that the handler failed.
        }
        if (const auto suppressed = shared_->failures.pass())
            log::error("a request handler failed",
                       {{"server", shared_->settings.name}, {"reason", reason}, {"suppressed", *suppressed}});
        return problem(500, "Internal error", "internal");
    }

    void send(const Reply& reply, bool head_only, bool keep_alive, const Peer& peer,
              const std::shared_ptr<Connection>& connection) {
        connection->closing = !keep_alive;
        enqueue(serialize(reply, head_only, keep_alive), !keep_alive, peer, connection);
    }

    void enqueue(std::string text, bool close, const Peer& peer,
                 const std::shared_ptr<Connection>& connection) {
        // At once where nothing waits before it: what a client that has said all is to get must be out before
        // Pistache sees that client's end and closes. It also spares the way through Pistache's queue.
        if (connection->unsent_bytes == 0) {
            const auto sent = ::send(connection->fd, text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
            text.erase(0, static_cast<std::size_t>(std::max<ssize_t>(sent, 0)));
        }
        if (text.empty()) {
            if (close) ::shutdown(connection->fd, SHUT_WR);
            return;
        }
        const auto size = text.size();
        auto unsent = std::make_shared<UnsentReply>(connection, size);
        // Half closed: the client still reads the reply, then closes; if it does not, the request timeout
        // does.
        peer->send(Pistache::RawBuffer(std::move(text), size), MSG_NOSIGNAL)
            .then(
                [unsent = std::move(unsent), close, fd = connection->fd](ssize_t) {
                    if (close) ::shutdown(fd, SHUT_WR);
                },
                Pistache::Async::IgnoreException);
        if (connection->unsent_bytes > max_unsent_bytes) {
            connection->closing = true;
            ::shutdown(connection->fd, SHUT_RDWR);
        }
    }

    /// Pistache closes a connection by the age of the parser it keeps for it: after the request timeout with
    /// a 408, or, when idle, silently after the keep-alive timeout.
    static void restart_clock(const Peer& peer, bool idle) {
        peer->setIdle(idle);
        getParser(peer)->reset();
    }

    Shared* shared_;
};

}  // namespace

class HttpServer::Server {
public:
    Server(const Settings& settings, Handle handle)
        : shared_{settings, std::move(handle), connections_to_hold(settings.max_connections)},
          endpoint_(std::in_place, address(settings)) {
        using Option = Pistache::Tcp::Options;
        const Pistache::Flags<Option> flags(Option::NoDelay | Option::ReuseAddr | Option::CloseOnExec);
        endpoint_->init(Pistache::Http::Endpoint::options()
                            .threads(settings.threads)
                            .threadsName(settings.name)
                            .flags(flags)
                            .maxRequestSize(settings.max_request_size)
                            .headerTimeout(settings.request_timeout)
                            .bodyTimeout(settings.request_timeout)
                            .keepaliveTimeout(settings.keep_alive_timeout));
        // Options::backlog() is ignored by init(); the listener below it takes one.
        endpoint_->initArgs(static_cast<std::size_t>(settings.threads), flags, settings.name, backlog);
        endpoint_->setHandler(Pistache::Http::make_handler<Connections>(shared_));
        endpoint_->serveThreaded();
        port_ = endpoint_->getPort();
    }

    ~Server() { stop(); }

    std::uint16_t port() const { return port_; }
    int in_flight() const { return shared_.in_flight; }

    void stop() {
        if (shared_.stopping.exchange(true)) return;
        const auto deadline = steady_clock::now() + shared_.settings.drain_timeout;
        while (shared_.in_flight + shared_.unsent_replies > 0 && steady_clock::now() < deadline)
            std::this_thread::sleep_for(std::chrono::milliseconds(2));
        shared_.stopper = std::this_thread::get_id();
        endpoint_->shutdown();
        endpoint_.reset();
    }

private:
    Shared shared_;
    std::optional<Pistache::Http::Endpoint> endpoint_;
    std::uint16_t port_ = 0;
};

HttpServer::HttpServer(const Settings& settings, Handle handle)
    : server_(std::make_unique<Server>(settings, std::move(handle))) {}

HttpServer::~HttpServer() = default;

std::uint16_t HttpServer::port() const {
    return server_->port();
}

int HttpServer::in_flight() const {
    return server_->in_flight();
}

void HttpServer::stop() {
    server_->stop();
}

}  // namespace runtime
