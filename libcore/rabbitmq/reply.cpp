#include "libcore/rabbitmq/reply.hpp"

#include "libcore/rabbitmq/error.hpp"
#include "libcore/rabbitmq/fields.hpp"

namespace rabbitmq {
namespace {

using Kind = BrokerError::Kind;

[[noreturn]] void refuse(const std::string& action, Kind kind, std::uint16_t code, amqp_bytes_t reason) {
    throw BrokerError(kind, action + ": " + std::to_string(code) + " " + text(reason), code);
}

[[noreturn]] void refuse(const std::string& action, const amqp_method_t& method) {
    if (method.id == AMQP_CHANNEL_CLOSE_METHOD) {
        const auto& close = *static_cast<amqp_channel_close_t*>(method.decoded);
        refuse(action, Kind::refused, close.reply_code, close.reply_text);
    }
    if (method.id == AMQP_CONNECTION_CLOSE_METHOD) {
        const auto& close = *static_cast<amqp_connection_close_t*>(method.decoded);
        const bool shut_down = close.reply_code == AMQP_CONNECTION_FORCED;
        refuse(action, shut_down ? Kind::unreachable : Kind::refused, close.reply_code, close.reply_text);
    }
    throw BrokerError(Kind::refused, action + ": unexpected method " + std::to_string(method.id));
}

}  // namespace

void fail(const std::string& action, int status) {
    const bool late = status == AMQP_STATUS_TIMEOUT || status == AMQP_STATUS_HEARTBEAT_TIMEOUT;
    throw BrokerError(late ? Kind::timed_out : Kind::unreachable, action + ": " + amqp_error_string2(status));
}

void check(const std::string& action, int status) {
    if (status != AMQP_STATUS_OK) {
        fail(action, status);
    }
}

void check(const std::string& action, const amqp_rpc_reply_t& reply) {
    if (reply.reply_type == AMQP_RESPONSE_LIBRARY_EXCEPTION) {
        fail(action, reply.library_error);
    }
    if (reply.reply_type == AMQP_RESPONSE_SERVER_EXCEPTION) {
        refuse(action, reply.reply);
    }
}

void object(const amqp_method_t& method) {
    switch (method.id) {
        case AMQP_BASIC_NACK_METHOD:
            throw BrokerError(Kind::not_taken, "the broker refused a message");
        case AMQP_BASIC_RETURN_METHOD: {
            const auto& returned = *static_cast<amqp_basic_return_t*>(method.decoded);
            refuse("the broker returned a message", Kind::not_taken, returned.reply_code,
                   returned.reply_text);
        }
        case AMQP_CONNECTION_BLOCKED_METHOD: {
            const auto& blocked = *static_cast<amqp_connection_blocked_t*>(method.decoded);
            throw BrokerError(Kind::not_taken, "the broker blocks publishing: " + text(blocked.reason));
        }
        case AMQP_BASIC_CANCEL_METHOD:
            throw BrokerError(Kind::refused,
                              "the broker cancelled the consumer: its queue is gone or has moved");
        default:
            refuse("the broker closed the connection", method);
    }
}

}  // namespace rabbitmq
