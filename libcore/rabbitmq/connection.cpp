#include "libcore/rabbitmq/connection.hpp"

#include <amqp.h>
#include <amqp_ssl_socket.h>
#include <amqp_tcp_socket.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <new>
#include <utility>

#include "libcore/killpoint/killpoint.hpp"
#include "libcore/rabbitmq/fields.hpp"
#include "libcore/rabbitmq/publish_frames.hpp"
#include "libcore/rabbitmq/reply.hpp"

namespace rabbitmq {
namespace {

using namespace std::chrono_literals;

constexpr amqp_channel_t channel = 1;
constexpr int frame_size = 131072;

// With this send buffer (the kernel doubles it) a writable socket has room for more than 128 KiB, so one
// burst of half of that never blocks; rabbitmq-c would wait without a deadline.
constexpr int send_buffer = 212992;
#ifdef TIDINGS_KILLPOINTS
constexpr std::size_t burst = 0;  // one message, so that a drill can die between two
#else
constexpr std::size_t burst = 65536;
#endif
constexpr std::size_t frame_overhead =
    320;  // method and header frame of one message, with the longest queue name

constexpr auto unacknowledged_data = 20s;  // how long the peer's kernel may stay silent

constexpr std::int64_t delivery_limit = 100;  // a message that kills a hundred workers is not worth another
constexpr std::int64_t dead_message_ttl = std::chrono::milliseconds(std::chrono::days(14)).count();

timeval remaining(Deadline deadline) {
    const auto left = std::max(deadline - std::chrono::steady_clock::now(), std::chrono::nanoseconds(1ms));
    const auto seconds = std::chrono::floor<std::chrono::seconds>(left);
    return {seconds.count(), std::chrono::floor<std::chrono::microseconds>(left - seconds).count()};
}

const amqp_method_t& method_of(const amqp_frame_t& frame) {
    if (frame.frame_type != AMQP_FRAME_METHOD) {
        fail("reading from the broker", AMQP_STATUS_UNEXPECTED_STATE);
    }
    return frame.payload.method;
}

}  // namespace

void Connection::Destroy::operator()(amqp_connection_state_t_* state) const {
    amqp_destroy_connection(state);
}

Connection::Connection(const Settings& settings, Deadline deadline)
    : state_(amqp_new_connection()), tls_(settings.url.tls), deadline_(deadline) {
    if (!state_) {
        throw std::bad_alloc();
    }
    open_socket(settings);
    log_in(settings);
    declare(settings.topology);
}

Connection::~Connection() = default;

void Connection::open_socket(const Settings& settings) {
    const auto& url = settings.url;
    const auto action = "connecting to " + url.host + ":" + std::to_string(url.port);
    auto* socket = url.tls ? amqp_ssl_socket_new(state_.get()) : amqp_tcp_socket_new(state_.get());
    if (socket == nullptr) {
        fail(action, AMQP_STATUS_SOCKET_ERROR);
    }
    if (url.tls) {
        amqp_ssl_socket_set_verify_peer(socket, 1);
        amqp_ssl_socket_set_verify_hostname(socket, 1);
        amqp_ssl_socket_set_ssl_versions(socket, AMQP_TLSv1_2, AMQP_TLSvLATEST);
        check("reading " + settings.ca_certificates,
              amqp_ssl_socket_set_cacert(socket, settings.ca_certificates.c_str()));
    }
    const auto timeout = remaining(deadline_);
    check(action, amqp_socket_open_noblock(socket, url.host.c_str(), url.port, &timeout));

    const auto silence = static_cast<unsigned>(std::chrono::milliseconds(unacknowledged_data).count());
    setsockopt(this->socket(), IPPROTO_TCP, TCP_USER_TIMEOUT, &silence, sizeof silence);
    setsockopt(this->socket(), SOL_SOCKET, SO_SNDBUF, &send_buffer, sizeof send_buffer);
}

void Connection::log_in(const Settings& settings) {
    const auto& url = settings.url;
    std::array capabilities{capability("publisher_confirms"), capability("basic.nack"),
                            capability("consumer_cancel_notify"), capability("connection.blocked")};
    std::array properties{string("product", "Tidings"), string("connection_name", settings.client_name),
                          nested("capabilities", table(capabilities))};
    const auto client = table(properties);
    const auto timeout = remaining(deadline_);
    amqp_set_handshake_timeout(state_.get(), &timeout);
    check("logging in as " + url.user,
          amqp_login_with_properties(state_.get(), url.virtual_host.c_str(), channel, frame_size,
                                     static_cast<int>(settings.heartbeat.count()), &client,
                                     AMQP_SASL_METHOD_PLAIN, url.user.c_str(), url.password.c_str()));
    amqp_channel_open(request(), channel);
    check("opening a channel", amqp_get_rpc_reply(state_.get()));
}

void Connection::declare(const Topology& topology) {
    const auto dead = topology.dead();
    std::array of_dead{string("x-queue-type", "quorum"), number("x-message-ttl", dead_message_ttl)};
    // A dead letter leaves the deliveries queue only when the dead queue has confirmed it ("at-least-once"),
    // which RabbitMQ grants only together with reject-publish.
    std::array of_deliveries{
        string("x-queue-type", "quorum"),       number("x-delivery-limit", delivery_limit),
        string("x-dead-letter-exchange", ""),   string("x-dead-letter-routing-key", dead),
        string("x-overflow", "reject-publish"), string("x-dead-letter-strategy", "at-least-once")};
    const auto declare_queue = [&](const std::string& queue, amqp_table_t arguments) {
        amqp_queue_declare(request(), channel, bytes(queue), false, true, false, false, arguments);
        check("declaring the queue " + queue, amqp_get_rpc_reply(state_.get()));
    };
    declare_queue(dead, table(of_dead));
    declare_queue(topology.deliveries(), table(of_deliveries));
}

int Connection::socket() const {
    return amqp_get_sockfd(state_.get());
}

void Connection::answer_by(Deadline deadline) {
    deadline_ = deadline;
}

amqp_connection_state_t_* Connection::request() {
    const auto timeout = remaining(deadline_);
    amqp_set_rpc_timeout(state_.get(), &timeout);
    return state_.get();
}

QueueDepth Connection::depth(const std::string& queue) {
    const auto* answer =
        amqp_queue_declare(request(), channel, bytes(queue), true, false, false, false, amqp_empty_table);
    check("asking for the depth of " + queue, amqp_get_rpc_reply(state_.get()));
    const QueueDepth depth{.ready = answer->message_count, .consumers = answer->consumer_count};
    amqp_maybe_release_buffers(state_.get());
    return depth;
}

void Connection::select_confirms() {
    amqp_confirm_select(request(), channel);
    check("asking for confirms", amqp_get_rpc_reply(state_.get()));
}

void Connection::consume(const std::string& queue, std::uint16_t prefetch) {
    amqp_basic_qos(request(), channel, 0, prefetch, false);
    check("setting the prefetch", amqp_get_rpc_reply(state_.get()));
    amqp_basic_consume(request(), channel, bytes(queue), bytes("deliveries"), false, false, false,
                       amqp_empty_table);
    check("consuming " + queue, amqp_get_rpc_reply(state_.get()));
}

void Connection::cancel() {
    amqp_basic_cancel(request(), channel, bytes("deliveries"));
    check("cancelling the consumer", amqp_get_rpc_reply(state_.get()));
}

void Connection::close() {
    check("closing the connection", amqp_connection_close(request(), AMQP_REPLY_SUCCESS));
}

std::size_t Connection::publish(const std::string& queue, std::span<const std::string> bodies) {
    return tls_ ? publish_each(queue, bodies) : publish_together(queue, bodies);
}

std::size_t Connection::publish_together(const std::string& queue, std::span<const std::string> bodies) {
    const PublishFrames frames(channel, queue);
    std::string wire;
    std::size_t count = 0;
    for (; count < bodies.size(); ++count) {
        if (count > 0 && wire.size() + bodies[count].size() + frame_overhead > burst) {
            break;
        }
        frames.append(wire, bodies[count]);
    }
    send_all(wire);
    KILLPOINT("dispatch.published_one");
    return count;
}

void Connection::send_all(std::string_view wire) {
    for (;;) {
        const auto sent = ::send(socket(), wire.data(), wire.size(), MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN && errno != EINTR) {
            fail("publishing", AMQP_STATUS_SOCKET_ERROR);
        }
        wire.remove_prefix(static_cast<std::size_t>(std::max<ssize_t>(sent, 0)));
        if (wire.empty()) {
            return;
        }
        // Only where the kernel allows less of a buffer than was asked for.
        const auto left = deadline_ - std::chrono::steady_clock::now();
        pollfd writable{.fd = socket(), .events = POLLOUT, .revents = 0};
        if (left <= 0ms ||
            poll(&writable, 1,
                 static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(left).count())) == 0) {
            fail("publishing", AMQP_STATUS_TIMEOUT);
        }
    }
}

std::size_t Connection::publish_each(const std::string& queue, std::span<const std::string> bodies) {
    amqp_basic_properties_t properties{};
    properties._flags = AMQP_BASIC_DELIVERY_MODE_FLAG;
    properties.delivery_mode = AMQP_DELIVERY_PERSISTENT;
    // Each frame is sent by itself; the cork makes full packets of them.
    const auto cork = [this](int on) { setsockopt(socket(), IPPROTO_TCP, TCP_CORK, &on, sizeof on); };
    cork(1);
    std::size_t count = 0;
    for (std::size_t size = 0; count < bodies.size(); ++count) {
        const auto& body = bodies[count];
        size += body.size() + frame_overhead;
        if (count > 0 && size > burst) {
            break;
        }
        check("publishing", amqp_basic_publish(state_.get(), channel, amqp_empty_bytes, bytes(queue), true,
                                               false, &properties, bytes(body)));
    }
    cork(0);
    return count;
}

void Connection::ack(const Ack& ack) {
    check("acknowledging", amqp_basic_ack(state_.get(), channel, ack.tag, ack.multiple));
}

void Connection::reject(std::uint64_t tag) {
    check("rejecting", amqp_basic_reject(state_.get(), channel, tag, false));
}

bool Connection::next_frame(amqp_frame_t_& frame) {
    const timeval immediately{};
    const int status = amqp_simple_wait_frame_noblock(state_.get(), &frame, &immediately);
    if (status == AMQP_STATUS_TIMEOUT) {
        return false;
    }
    check("reading from the broker", status);
    return true;
}

std::optional<Ack> Connection::next_confirm() {
    amqp_frame_t frame;
    if (!next_frame(frame)) {
        return std::nullopt;
    }
    const auto& method = method_of(frame);
    if (method.id != AMQP_BASIC_ACK_METHOD) {
        object(method);
    }
    const auto& confirm = *static_cast<amqp_basic_ack_t*>(method.decoded);
    const Ack ack{confirm.delivery_tag, confirm.multiple != 0};
    amqp_maybe_release_buffers(state_.get());
    return ack;
}

std::optional<Delivery> Connection::next_delivery() {
    for (amqp_frame_t frame; next_frame(frame);) {
        if (!arriving_) {
            const auto& method = method_of(frame);
            if (method.id != AMQP_BASIC_DELIVER_METHOD) {
                object(method);
            }
            const auto& deliver = *static_cast<amqp_basic_deliver_t*>(method.decoded);
            arriving_ = Delivery{deliver.delivery_tag, deliver.redelivered != 0, {}};
            continue;
        }
        if (frame.frame_type == AMQP_FRAME_HEADER) {
            missing_ = frame.payload.properties.body_size;
        } else if (frame.frame_type == AMQP_FRAME_BODY) {
            const auto fragment = frame.payload.body_fragment;
            arriving_->body.append(static_cast<const char*>(fragment.bytes), fragment.len);
            missing_ -= fragment.len;
        } else {
            object(method_of(frame));
        }
        if (missing_ == 0) {
            amqp_maybe_release_buffers(state_.get());
            return std::exchange(arriving_, std::nullopt);
        }
    }
    return std::nullopt;
}

}  // namespace rabbitmq
