#include "libcore/http/connection.hpp"

#include <boost/asio/error.hpp>
#include <string>
#include <utility>

#include "libcore/http/channel.hpp"
#include "libcore/http/response_reader.hpp"
#include "libcore/killpoint/killpoint.hpp"

namespace http {

namespace asio = boost::asio;

struct Connection::State {
    explicit State(std::shared_ptr<Origin> origin) : channel(std::make_shared<Channel>(std::move(origin))) {}

    std::shared_ptr<Channel> channel;
    ResponseReader reader;
    std::string outgoing;
    std::optional<Channel::Clock::time_point> idle_since;  ///< nothing while a request is under way
};

namespace {

using StatePtr = std::shared_ptr<Connection::State>;

/// Common servers close a connection after 5 s of silence (Node) or later. A request that meets such a close
/// is in doubt, and at this pace a new connection costs nothing.
constexpr std::chrono::seconds longest_idle{4};

bool can_be_reused(Connection::State& state) {
    const auto idle_since = std::exchange(state.idle_since, std::nullopt);
    return idle_since && Channel::Clock::now() - *idle_since < longest_idle && state.channel->is_quiet();
}

Failure not_written(const Channel& channel, const Channel::Transferred& written) {
    if (channel.expired()) return {Failure::Kind::timeout, written.count > 0, "not written in time"};
    return {Failure::Kind::reset, written.count > 0, "write: " + written.error.message()};
}

/// Of a request that was written.
Failure not_answered(const Channel& channel, boost::system::error_code error) {
    if (channel.expired()) return {Failure::Kind::timeout, true, "no answer in time"};
    const bool closed = error == asio::error::eof;
    return {Failure::Kind::reset, true, closed ? "closed without an answer" : "read: " + error.message()};
}

asio::awaitable<std::optional<Failure>> write_request(StatePtr state) {
    if (state->channel->expired()) co_return Failure{Failure::Kind::timeout, false, "not begun in time"};
    const auto written = co_await write(state->channel, state->outgoing);
    if (written.error) co_return not_written(*state->channel, written);
    KILLPOINT("request.written");
    co_return std::nullopt;
}

asio::awaitable<Answer> read_response(StatePtr state) {
    using Progress = ResponseReader::Progress;
    auto& [channel, reader, outgoing, idle_since] = *state;
    reader.start();
    auto progress = Progress::incomplete;
    while (progress == Progress::incomplete) {
        const auto read = co_await read_some(channel, reader.space());
        if (!read.error) {
            progress = reader.received(read.count);
        } else {
            if (read.error == asio::error::eof) progress = reader.received_eof();
            if (progress == Progress::incomplete) co_return not_answered(*channel, read.error);
        }
    }
    if (progress == Progress::malformed) {
        co_return Failure{Failure::Kind::malformed, true, "the answer is not HTTP"};
    }
    if (reader.reusable()) idle_since = Channel::Clock::now();
    co_return reader.response();
}

asio::awaitable<Answer> deliver(StatePtr state) {
    const bool reused = can_be_reused(*state);
    if (reused) {
        const auto failure = co_await write_request(state);
        if (!failure) {
            auto answer = co_await read_response(state);
            co_return answer;
        }
        // The peer closed it between the look and the write: a new connection may still take the request.
        const bool again = !failure->written && failure->kind == Failure::Kind::reset;
        if (!again) co_return *failure;
    }
    auto not_sent = co_await connect(state->channel);
    if (!not_sent) {
        not_sent = co_await write_request(state);
    }
    if (not_sent) co_return *std::move(not_sent);
    auto answer = co_await read_response(state);
    co_return answer;
}

asio::awaitable<Answer> exchange(StatePtr state, Request request, Connection::Deadline deadline) {
    if (Channel::Clock::now() >= deadline)
        co_return Failure{Failure::Kind::timeout, false, "the deadline has passed"};
    serialise(request, state->channel->origin().host_header, state->outgoing);
    state->channel->set_deadline(deadline);
    auto answer = co_await deliver(state);
    state->channel->clear_deadline();
    if (!state->idle_since) state->channel->close();
    co_return answer;
}

}  // namespace

Connection::Connection(std::shared_ptr<Origin> origin) : state_(std::make_shared<State>(std::move(origin))) {}

asio::awaitable<Answer> Connection::send(Request request, Deadline deadline) {
    return exchange(state_, std::move(request), deadline);
}

}  // namespace http
