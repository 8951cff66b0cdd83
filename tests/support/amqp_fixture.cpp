#include "tests/support/amqp_fixture.hpp"

#include <amqp.h>
#include <amqp_tcp_socket.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <utility>

namespace support {
namespace {

constexpr amqp_channel_t channel = 1;

amqp_bytes_t bytes(const std::string& text) {
    return {text.size(), const_cast<char*>(text.data())};
}

std::string broker_url() {
    const char* url = std::getenv("TEST_AMQP_URL");
    if (url == nullptr) {
        throw std::runtime_error("TEST_AMQP_URL is not set: this test needs a private RabbitMQ");
    }
    return url;
}

std::string fresh_prefix() {
    static std::atomic<int> count = 0;
    return "test." + std::to_string(::getpid()) + "." + std::to_string(++count);
}

struct Destroy {
    void operator()(amqp_connection_state_t_* state) const { amqp_destroy_connection(state); }
};

/// A connection of its own for each request: slow, and independent of everything before.
class Session {
public:
    explicit Session(const rabbitmq::Url& url) : state_(amqp_new_connection()) {
        auto* socket = amqp_tcp_socket_new(state_.get());
        if (amqp_socket_open(socket, url.host.c_str(), url.port) != AMQP_STATUS_OK ||
            amqp_login(state_.get(), url.virtual_host.c_str(), 0, 131072, 0, AMQP_SASL_METHOD_PLAIN,
                       url.user.c_str(), url.password.c_str())
                    .reply_type != AMQP_RESPONSE_NORMAL) {
            throw std::runtime_error("the RabbitMQ does not answer");
        }
        amqp_channel_open(state_.get(), channel);
    }

    ~Session() { amqp_connection_close(state_.get(), AMQP_REPLY_SUCCESS); }
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;

    operator amqp_connection_state_t() const { return state_.get(); }

private:
    std::unique_ptr<amqp_connection_state_t_, Destroy> state_;
};

}  // namespace

AmqpFixture::AmqpFixture() : AmqpFixture(broker_url()) {}

AmqpFixture::AmqpFixture(std::string url) : url_(std::move(url)) {
    settings_.url = rabbitmq::parse_url(url_);
    settings_.topology.prefix = fresh_prefix();
    settings_.client_name = settings_.topology.prefix;
    const Session reachable(settings_.url);
}

AmqpFixture::~AmqpFixture() {
    try {
        remove(settings_.topology.deliveries());
        remove(settings_.topology.dead());
    } catch (const std::runtime_error&) {  // the broker has gone, and the test that needs it has failed
    }
}

bool AmqpFixture::answers(const std::string& url) {
    try {
        const Session session(rabbitmq::parse_url(url));
        return true;
    } catch (const std::runtime_error&) {
        return false;
    }
}

rabbitmq::Settings AmqpFixture::settings_through(std::uint16_t port) const {
    auto settings = settings_;
    settings.url.host = "127.0.0.1";
    settings.url.port = port;
    return settings;
}

std::optional<std::uint32_t> AmqpFixture::ready(const std::string& queue) const {
    const Session session(settings_.url);
    const auto* answer =
        amqp_queue_declare(session, channel, bytes(queue), true, false, false, false, amqp_empty_table);
    return answer == nullptr ? std::nullopt : std::optional(answer->message_count);
}

std::optional<std::string> AmqpFixture::take(const std::string& queue) const {
    const Session session(settings_.url);
    if (amqp_basic_get(session, channel, bytes(queue), true).reply.id != AMQP_BASIC_GET_OK_METHOD) {
        return std::nullopt;
    }
    amqp_message_t message;
    if (amqp_read_message(session, channel, &message, 0).reply_type != AMQP_RESPONSE_NORMAL) {
        return std::nullopt;
    }
    std::string body(static_cast<const char*>(message.body.bytes), message.body.len);
    amqp_destroy_message(&message);
    return body;
}

void AmqpFixture::put(const std::string& queue, const std::string& body) const {
    const Session session(settings_.url);
    amqp_confirm_select(session, channel);
    amqp_basic_publish(session, channel, amqp_empty_bytes, bytes(queue), true, false, nullptr, bytes(body));
    amqp_frame_t frame;
    if (amqp_simple_wait_frame(session, &frame) != AMQP_STATUS_OK ||
        frame.payload.method.id != AMQP_BASIC_ACK_METHOD) {
        throw std::runtime_error("the broker did not take a message for " + queue);
    }
}

void AmqpFixture::remove(const std::string& queue) const {
    const Session session(settings_.url);
    amqp_queue_delete(session, channel, bytes(queue), false, false);
}

void AmqpFixture::declare_plain(const std::string& queue) const {
    const Session session(settings_.url);
    amqp_queue_declare(session, channel, bytes(queue), false, true, false, false, amqp_empty_table);
}

}  // namespace support
