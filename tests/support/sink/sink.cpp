#include "tests/support/sink/sink.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <future>
#include <set>
#include <stdexcept>
#include <thread>

#include "tests/support/sink/session.hpp"

namespace sink {

namespace asio = boost::asio;
using asio::ip::tcp;

struct Sink::Server {
    explicit Server(Options options)
        : provider(std::move(options.policy)),
          endpoint(asio::ip::make_address(options.bind), options.port),
          acceptor(io, endpoint) {
        endpoint = acceptor.local_endpoint();
    }

    void accept();
    void take(tcp::socket socket);
    void stop_listening();
    void listen_again();
    void begin_outage(std::chrono::milliseconds duration);

    /// The result of `function`, called on the server's thread.
    template <class Function>
    auto run(Function function) {
        std::packaged_task<decltype(function())()> task(std::move(function));
        auto result = task.get_future();
        asio::post(io, std::move(task));
        return result.get();
    }

    Provider provider;
    asio::io_context io{1};
    /// The thread goes on in an outage, when there is nothing to wait for.
    asio::executor_work_guard<asio::io_context::executor_type> work{io.get_executor()};
    tcp::endpoint endpoint;
    tcp::acceptor acceptor;
    asio::steady_timer outage{io};
    std::set<std::shared_ptr<Session>> sessions;
    std::uint64_t accepted = 0;
    bool listening = true;
    std::thread thread;
};

void Sink::Server::accept() {
    acceptor.async_accept([this](boost::system::error_code error, tcp::socket socket) {
        if (error == asio::error::operation_aborted) return;
        if (!error) take(std::move(socket));
        if (listening) accept();
    });
}

void Sink::Server::take(tcp::socket socket) {
    ++accepted;
    if (provider.script.closes_connection()) return;
    boost::system::error_code ignored;
    socket.set_option(tcp::no_delay(true), ignored);
    auto session = std::make_shared<Session>(std::move(socket), provider,
                                             [this](auto duration) { begin_outage(duration); });
    sessions.insert(session);
    asio::co_spawn(io, serve(session), [this, session](std::exception_ptr bug) {
        if (bug) std::rethrow_exception(bug);
        sessions.erase(session);
    });
}

// A socket that is bound and does not listen refuses connections, and nobody else can take the port.
void Sink::Server::stop_listening() {
    listening = false;
    acceptor.close();
    for (const auto& session : sessions) {
        boost::system::error_code ignored;
        session->socket.close(ignored);
    }
    acceptor.open(endpoint.protocol());
    acceptor.set_option(tcp::acceptor::reuse_address(true));
    acceptor.bind(endpoint);
}

void Sink::Server::listen_again() {
    listening = true;
    acceptor.listen();
    accept();
}

void Sink::Server::begin_outage(std::chrono::milliseconds duration) {
    stop_listening();
    outage.expires_after(duration);
    outage.async_wait([this](boost::system::error_code cancelled) {
        if (!cancelled) listen_again();
    });
}

Sink::Sink(Options options) : server_(std::make_unique<Server>(std::move(options))) {
    server_->accept();
    server_->thread = std::thread([this] { server_->io.run(); });
}

Sink::~Sink() {
    server_->io.stop();
    server_->thread.join();
}

std::uint16_t Sink::port() const {
    return server_->endpoint.port();
}

std::string Sink::url() const {
    const auto& address = server_->endpoint.address();
    const auto host = address.is_v6() ? '[' + address.to_string() + ']' : address.to_string();
    return "http://" + host + ':' + std::to_string(port());
}

Summary Sink::summary() const {
    return server_->run([this] { return server_->provider.ledger.summary(); });
}

std::vector<Entry> Sink::entries(std::uint64_t after, std::size_t limit) const {
    return server_->run([=, this] { return server_->provider.ledger.entries(after, limit); });
}

std::vector<Entry> Sink::by_key(const std::string& key) const {
    return server_->run([&, this] { return server_->provider.ledger.by_key(key); });
}

std::uint64_t Sink::connections() const {
    return server_->run([this] { return server_->accepted; });
}

void Sink::clear_ledger() {
    server_->run([this] { server_->provider.ledger.clear(); });
}

void Sink::play(const std::string& script) {
    auto parsed = Script::parse(script);
    if (!parsed) {
        const auto& error = parsed.errors().front();
        throw std::invalid_argument("script: " + error.field + ": " + error.text);
    }
    server_->run([&, this] {
        server_->provider.script = *parsed;
        if (parsed->outage().count()) server_->begin_outage(parsed->outage());
    });
}

void Sink::stop_listening() {
    server_->run([this] { server_->stop_listening(); });
}

void Sink::listen_again() {
    server_->run([this] { server_->listen_again(); });
}

}  // namespace sink
