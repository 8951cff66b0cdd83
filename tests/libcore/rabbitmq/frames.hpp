// What RabbitMQ says when something goes wrong that a test cannot make it do at will, as it stands on the
// wire (AMQP 0-9-1, 4.2.3).
#pragma once

#include <cstdint>
#include <string>

namespace rabbitmq {

inline std::string big_endian(std::uint64_t value, int bytes) {
    std::string text;
    for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) {
        text += static_cast<char>(value >> shift & 0xff);
    }
    return text;
}

inline std::string short_string(const std::string& text) {
    return big_endian(text.size(), 1) + text;
}

inline std::string method_frame(std::uint16_t channel, std::uint16_t class_id, std::uint16_t method_id,
                                const std::string& arguments) {
    const auto payload = big_endian(class_id, 2) + big_endian(method_id, 2) + arguments;
    return "\x01" + big_endian(channel, 2) + big_endian(payload.size(), 4) + payload + "\xce";
}

inline std::string connection_blocked(const std::string& reason) {
    return method_frame(0, 10, 60, short_string(reason));
}

inline std::string channel_close(std::uint16_t code, const std::string& text) {
    return method_frame(1, 20, 40, big_endian(code, 2) + short_string(text) + big_endian(0, 4));
}

inline std::string basic_nack(std::uint64_t tag) {
    return method_frame(1, 60, 120, big_endian(tag, 8) + big_endian(0, 1));
}

}  // namespace rabbitmq
