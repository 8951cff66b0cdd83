#include "libcore/rabbitmq/publish_frames.hpp"

#include <array>

#include "libcore/rabbitmq/fields.hpp"
#include "libcore/rabbitmq/reply.hpp"

namespace rabbitmq {
namespace {

// Longer than a queue's name, which has 255 bytes at most.
using Space = std::array<char, 512>;

void append_number(std::string& wire, std::uint64_t value, int size) {
    for (int shift = 8 * (size - 1); shift >= 0; shift -= 8) {
        wire += static_cast<char>(value >> shift & 0xff);
    }
}

void append_frame(std::string& wire, std::uint8_t type, std::uint16_t channel, std::string_view payload) {
    append_number(wire, type, 1);
    append_number(wire, channel, 2);
    append_number(wire, payload.size(), 4);
    wire += payload;
    append_number(wire, AMQP_FRAME_END, 1);
}

std::string_view encoded(const Space& space, int size) {
    if (size < 0) {
        fail("encoding a message", size);
    }
    return {space.data(), static_cast<std::size_t>(size)};
}

}  // namespace

PublishFrames::PublishFrames(std::uint16_t channel, std::string_view queue) : channel_(channel) {
    Space space{};
    amqp_basic_publish_t method{};
    method.routing_key = bytes(queue);
    method.mandatory = true;
    std::string payload;
    append_number(payload, AMQP_BASIC_PUBLISH_METHOD, 4);
    payload +=
        encoded(space, amqp_encode_method(AMQP_BASIC_PUBLISH_METHOD, &method, {space.size(), space.data()}));
    append_frame(method_, AMQP_FRAME_METHOD, channel_, payload);

    amqp_basic_properties_t properties{};
    properties._flags = AMQP_BASIC_DELIVERY_MODE_FLAG;
    properties.delivery_mode = AMQP_DELIVERY_PERSISTENT;
    properties_ =
        encoded(space, amqp_encode_properties(AMQP_BASIC_CLASS, &properties, {space.size(), space.data()}));
}

void PublishFrames::append(std::string& wire, std::string_view body) const {
    wire += method_;
    std::string header;
    append_number(header, AMQP_BASIC_CLASS, 2);
    append_number(header, 0, 2);  // "weight", unused
    append_number(header, body.size(), 8);
    append_frame(wire, AMQP_FRAME_HEADER, channel_, header + properties_);
    if (!body.empty()) {
        append_frame(wire, AMQP_FRAME_BODY, channel_, body);
    }
}

}  // namespace rabbitmq
