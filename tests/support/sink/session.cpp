#include "tests/support/sink/session.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/status.hpp>
#include <string_view>
#include <utility>

namespace sink {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;

constexpr auto as_result = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t read_size = 16 * 1024;
constexpr std::size_t longest_body = 1024 * 1024;

void start_request(Session& session) {
    session.parser.emplace();
    session.parser->eager(true);
    session.parser->body_limit(longest_body);
}

enum class Progress { incomplete, complete, malformed };

Progress parse(Session& session) {
    while (session.received.size() > 0 && !session.parser->is_done()) {
        boost::system::error_code error;
        session.received.consume(session.parser->put(session.received.data(), error));
        if (error == http::error::need_more) break;
        if (error) return Progress::malformed;
    }
    return session.parser->is_done() ? Progress::complete : Progress::incomplete;
}

Reply reply_to(Session& session) {
    const auto& request = session.parser->get();
    const auto view = [](const auto& text) { return std::string_view(text.data(), text.size()); };
    const auto now = std::chrono::floor<std::chrono::microseconds>(std::chrono::system_clock::now());
    return session.provider.reply(
        {view(request.method_string()), view(request.target()), view(request["Idempotency-Key"]),
         view(request[http::field::authorization]), request.body()},
        now);
}

void append(std::string& bytes, const Reply& reply, bool keep_alive) {
    const auto reason = http::obsolete_reason(static_cast<http::status>(reply.status));
    bytes.append("HTTP/1.1 ").append(std::to_string(reply.status)).append(" ");
    bytes.append(reason.data(), reason.size()).append("\r\n");
    if (reply.status != 204) {
        bytes.append("Content-Type: application/json\r\nContent-Length: ");
        bytes.append(std::to_string(reply.body.size())).append("\r\n");
    }
    for (const auto& [name, value] : reply.headers)
        bytes.append(name).append(": ").append(value).append("\r\n");
    if (!keep_alive) bytes.append("Connection: close\r\n");
    bytes.append("\r\n").append(reply.body);
}

asio::awaitable<void> sleep(std::shared_ptr<Session> session, std::chrono::milliseconds duration) {
    asio::steady_timer timer(session->socket.get_executor(), duration);
    co_await timer.async_wait(as_result);
}

/// False when the client is gone.
asio::awaitable<bool> flush(std::shared_ptr<Session> session) {
    if (session->outgoing.empty()) co_return true;
    const auto [error, count] =
        co_await asio::async_write(session->socket, asio::buffer(session->outgoing), as_result);
    session->outgoing.clear();
    co_return !error;
}

asio::awaitable<bool> drip(std::shared_ptr<Session> session, std::chrono::milliseconds pause) {
    const auto bytes = std::exchange(session->outgoing, {});
    for (const char byte : bytes) {
        session->outgoing.assign(1, byte);
        const bool alive = co_await flush(session);
        if (!alive) co_return false;
        co_await sleep(session, pause);
    }
    co_return true;
}

/// Answers the request that the parser holds; false when the connection ends with it. A reply that needs
/// nothing special waits in `outgoing`, so that pipelined requests share a write.
asio::awaitable<bool> answer(std::shared_ptr<Session> session) {
    const auto reply = reply_to(*session);
    const bool keep_alive = session->parser->keep_alive();
    const bool plain =
        keep_alive && !reply.drop && !reply.delay.count() && !reply.drip.count() && !reply.outage.count();
    if (plain) {
        append(session->outgoing, reply, keep_alive);
        co_return true;
    }

    const bool alive = co_await flush(session);
    if (!alive) co_return false;
    if (reply.delay.count()) {
        co_await sleep(session, reply.delay);
    }
    if (reply.drop) co_return false;
    append(session->outgoing, reply, keep_alive);
    bool sent = true;
    if (reply.drip.count()) {
        sent = co_await drip(session, reply.drip);
    } else {
        sent = co_await flush(session);
    }
    if (reply.outage.count()) session->begin_outage(reply.outage);
    co_return sent&& keep_alive;
}

}  // namespace

Session::Session(asio::ip::tcp::socket socket_, Provider& provider_,
                 std::function<void(std::chrono::milliseconds)> begin_outage_)
    : socket(std::move(socket_)), provider(provider_), begin_outage(std::move(begin_outage_)) {
    received.reserve(read_size);
}

asio::awaitable<void> serve(std::shared_ptr<Session> session) {
    for (;;) {
        start_request(*session);
        auto progress = parse(*session);
        while (progress == Progress::incomplete) {
            const bool alive = co_await flush(session);
            if (!alive) co_return;
            const auto [error, count] =
                co_await session->socket.async_read_some(session->received.prepare(read_size), as_result);
            if (error) co_return;
            session->received.commit(count);
            progress = parse(*session);
        }
        if (progress == Progress::malformed) {
            append(session->outgoing, {400, R"({"success":false,"error":"not HTTP"})"}, false);
            co_await flush(session);
            co_return;
        }
        const bool go_on = co_await answer(session);
        if (!go_on) co_return;
    }
}

}  // namespace sink
